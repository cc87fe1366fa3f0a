import test from "ava";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import { BLOCK_BYTES, CELL_BYTES, CHUNK_BYTES } from "../../domain/format.ts";
import { present } from "../../testing/present.ts";
import { MAX_READ_AHEAD_BLOCKS } from "./limits.ts";
import {
  createFile,
  patternBytes,
  readAll,
  testMount,
  TINY_GEOMETRY,
  type TestMount,
} from "../../testing/vfs/vfs-mount.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

function turns(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A committed file of `sizeBytes`, opened by a client that has nothing cached. */
async function coldFile(
  sizeBytes: number,
  options: { cacheBytes?: number } = {},
): Promise<TestMount & { fh: number; data: Buffer }> {
  const writer = await testMount();
  const data = patternBytes(sizeBytes);
  const { fh, attr } = await createFile(writer.vfs, "file");
  await writer.vfs.write(fh, 0, data, false);
  await writer.vfs.flush(fh);
  const reader = await testMount({ ...writer, ...options });
  const opened = await reader.vfs.open(ROOT_CALLER, attr.ino, 0);
  return { ...reader, fh: opened.fh, data };
}

test("reading in order fetches each block once and whole, some blocks ahead", async (t) => {
  const { vfs, blocks, fh, data } = await coldFile(40 * MIB);
  const ahead: number[] = [];
  for (let offset = 0; offset < data.length; offset += 128 * KIB) {
    const piece = await readAll(vfs, fh, offset, 128 * KIB);
    t.true(piece.equals(data.subarray(offset, offset + 128 * KIB)));
    ahead.push(blocks.reads.length - Math.ceil((offset + 128 * KIB) / BLOCK_BYTES));
  }
  t.is(blocks.reads.length, 10);
  t.true(blocks.reads.every(({ lengthBytes }) => lengthBytes === BLOCK_BYTES));
  t.is(ahead[0], 0);
  t.is(ahead[1], 1);
  t.is(Math.max(...ahead), MAX_READ_AHEAD_BLOCKS);
  t.true(ahead.every((count, index) => count <= 2 * present(ahead[Math.max(0, index - 32)]) + 2));
});

test("the kernel's parallel, slightly disordered read-ahead counts as in order", async (t) => {
  const { vfs, blocks, fh, data } = await coldFile(16 * MIB);
  const step = 256 * KIB;
  const order = [1, 0, 3, 2, 5, 4, 7, 6];
  for (let base = 0; base < data.length; base += 8 * step) {
    const reads = order.map(async (place) => {
      const offset = base + place * step;
      const piece = await readAll(vfs, fh, offset, step);
      t.true(piece.equals(data.subarray(offset, offset + step)));
    });
    await Promise.all(reads);
  }
  t.is(blocks.reads.length, 4);
});

test("random reads fetch only the cells they need, and neighbours find them there", async (t) => {
  const { vfs, blocks, fh, data } = await coldFile(32 * MIB);
  const at = 20 * MIB + 100 * KIB;
  t.deepEqual(await readAll(vfs, fh, at, 4 * KIB), data.subarray(at, at + 4 * KIB));
  t.deepEqual(
    blocks.reads.map(({ lengthBytes }) => lengthBytes),
    [CELL_BYTES],
  );
  const near = 20 * MIB + 68 * KIB;
  const hit = vfs.read(fh, 4 * MIB, 4 * KIB);
  t.true(hit instanceof Promise);
  await hit;
  const neighbour = vfs.read(fh, near, 4 * KIB);
  t.false(neighbour instanceof Promise, "a neighbour in the cell is answered at once");
  t.is(blocks.reads.length, 2);
  const across = 28 * MIB - 8 * KIB;
  t.deepEqual(await readAll(vfs, fh, across, 16 * KIB), data.subarray(across, across + 16 * KIB));
  t.deepEqual(
    blocks.reads.slice(2).map(({ lengthBytes }) => lengthBytes),
    [CELL_BYTES, CELL_BYTES],
  );
});

test("random reads that stay in one block come to fetch it whole", async (t) => {
  const { vfs, blocks, fh, data } = await coldFile(64 * MIB);
  for (let number = 0; number < 60; number += 1) {
    await vfs.read(fh, ((number * 5) % 12) * BLOCK_BYTES + 40 * CELL_BYTES, 4 * KIB);
    const at = 13 * BLOCK_BYTES + ((number * 37) % 64) * CELL_BYTES;
    t.deepEqual(await readAll(vfs, fh, at, 4 * KIB), data.subarray(at, at + 4 * KIB));
  }
  const inBlock = blocks.reads.filter(({ ref }) => ref.index === 13);
  t.true(inBlock.length < 20, `${inBlock.length} reads of one block`);
  t.is(present(inBlock.at(-1)).lengthBytes, BLOCK_BYTES);
});

test("holes are zeroes and cost nothing, across chunks", async (t) => {
  const { vfs, blocks } = await testMount();
  const { fh } = await createFile(vfs, "sparse");
  await vfs.write(fh, 3 * CHUNK_BYTES, patternBytes(10), false);
  await vfs.flush(fh);
  const found = await readAll(vfs, fh, CHUNK_BYTES - MIB, 2 * MIB);
  t.true(found.equals(Buffer.alloc(2 * MIB)));
  t.deepEqual(
    await readAll(vfs, fh, 3 * CHUNK_BYTES - 5, 100),
    Buffer.concat([Buffer.alloc(5), patternBytes(10)]),
  );
  t.is(blocks.reads.length, 0);
});

test("a read waits for the fetch that is under way instead of asking again", async (t) => {
  const { vfs, blocks, fh, data } = await coldFile(4 * MIB);
  let letGo: () => void = () => undefined;
  blocks.onRead = () => new Promise((resolve) => (letGo = resolve));
  const reads = [0, 1, 2, 3].map((index) => readAll(vfs, fh, index * 128 * KIB, 128 * KIB));
  await turns();
  letGo();
  t.true(Buffer.concat(await Promise.all(reads)).equals(data.subarray(0, 512 * KIB)));
  t.is(blocks.reads.length, 1);
});

test("a block that can't be read is a clear error, and is asked for again later", async (t) => {
  const { vfs, blocks, fh, data, meta } = await coldFile(4 * MIB);
  blocks.onRead = () => {
    throw new FsError("EIO", "injected");
  };
  await t.throwsAsync(async () => vfs.read(fh, 0, 4 * KIB), { code: "EIO" });
  t.is(meta.counts.get("extents"), 1, "asked once where the bytes are now");
  blocks.onRead = () => undefined;
  t.deepEqual(await readAll(vfs, fh, 0, 4 * KIB), data.subarray(0, 4 * KIB));
});

test("a failed read whose plan was made anew leaves no rejection unhandled", async (t) => {
  const writer = await testMount();
  const { fh, attr } = await createFile(writer.vfs, "file");
  await writer.vfs.write(fh, CHUNK_BYTES - MIB, patternBytes(2 * MIB), false);
  await writer.vfs.flush(fh);
  const { vfs, blocks } = await testMount({ ...writer, cacheBytes: 0 });
  const opened = await vfs.open(ROOT_CALLER, attr.ino, 0);
  blocks.onRead = () => Promise.reject(new FsError("EIO", "injected"));
  // The second chunk's extents aren't known when the first chunk's bytes are asked for.
  const from = CHUNK_BYTES - CELL_BYTES;
  await t.throwsAsync(async () => vfs.read(opened.fh, from, 2 * CELL_BYTES), { code: "EIO" });
  await turns();
});

test("a cache full of blocks being fetched still lets others read", async (t) => {
  const { vfs, blocks, fh, data } = await coldFile(64 * MIB, { cacheBytes: 10 * MIB });
  const waiting: (() => void)[] = [];
  blocks.onRead = () => new Promise((resolve) => waiting.push(resolve));
  const places = [0, 5, 9, 13, 2, 7, 11].map((block) => block * BLOCK_BYTES);
  const reads = places.map((offset) => readAll(vfs, fh, offset, 3 * MIB));
  await turns();
  for (let round = 0; round < 10; round += 1) {
    for (const letGo of waiting.splice(0)) letGo();
    await turns();
  }
  for (const [index, offset] of places.entries()) {
    t.true(present(await reads[index]).equals(data.subarray(offset, offset + 3 * MIB)));
  }
});

test("pieces stay as they are until the handle's next read; the cache moves on", async (t) => {
  const { vfs, clock, fh, data } = await coldFile(64 * MIB, { cacheBytes: 10 * MIB });
  const kept = await vfs.read(fh, 0, MIB);
  const { fh: other } = await vfs.open(
    ROOT_CALLER,
    (await vfs.lookup(ROOT_CALLER, 1 as never, "file" as never)).ino,
    0,
  );
  for (let offset = 0; offset < data.length; offset += MIB) {
    await vfs.read(other, offset, MIB);
    await clock.advance(1);
  }
  t.true(Buffer.concat(kept).equals(data.subarray(0, MIB)));
});

// Alone, since the other tests' memory would count too.
test.serial(
  "buffers are used again, so that memory stays bounded while a large file is read",
  async (t) => {
    const cacheBytes = 24 * MIB;
    const { vfs, clock, fh, data } = await coldFile(128 * MIB, { cacheBytes });
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    for (let offset = 0; offset < data.length; offset += MIB) {
      const pieces = await vfs.read(fh, offset, MIB);
      t.is(pieces.length, 1);
      await clock.advance(1);
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
    t.true(most < cacheBytes + 4 * BLOCK_BYTES, `${most} bytes more`);
  },
);

test("bytes sent but not committed are read from nodes, those not sent from memory", async (t) => {
  const { vfs, blocks, meta } = await testMount({ geometry: TINY_GEOMETRY });
  const { fh } = await createFile(vfs, "file");
  await vfs.write(fh, 0, patternBytes(100), false);
  for (let turn = 0; turn < 5; turn += 1) await turns();
  t.deepEqual(await readAll(vfs, fh), patternBytes(100));
  t.is(meta.counts.get("commit"), undefined);
  t.deepEqual(
    blocks.reads.map(({ ref, lengthBytes }) => [ref.index, lengthBytes]),
    [[0, 64]],
  );
});

test("extents are trusted for a while, then only while the file stays as it was", async (t) => {
  const first = await testMount({ geometry: TINY_GEOMETRY });
  const { fh, attr } = await createFile(first.vfs, "file");
  await first.vfs.write(fh, 0, patternBytes(100), false);
  await first.vfs.flush(fh);
  const { vfs, meta, clock } = await testMount({ ...first, geometry: TINY_GEOMETRY });
  const opened = await vfs.open(ROOT_CALLER, attr.ino, 0);
  t.deepEqual(await readAll(vfs, opened.fh), patternBytes(100));
  await clock.advance(1500);
  t.deepEqual(await readAll(vfs, opened.fh), patternBytes(100));
  t.deepEqual(Object.fromEntries(meta.counts), { open: 1, getattr: 1 });
  await first.vfs.write(fh, 50, patternBytes(100, 1), false);
  await first.vfs.flush(fh);
  await clock.advance(1500);
  const expected = Buffer.concat([patternBytes(50), patternBytes(100, 1)]);
  t.deepEqual(await readAll(vfs, opened.fh), expected);
  t.deepEqual(Object.fromEntries(meta.counts), { open: 1, getattr: 2, extents: 1 });
});
