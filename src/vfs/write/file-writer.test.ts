import test from "ava";
import type { Epoch } from "../../domain/ids.ts";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import { BLOCK_BYTES } from "../../domain/format.ts";
import { MAX_PUT_BYTES_IN_FLIGHT } from "../../stripes/limits.ts";
import { present } from "../../testing/present.ts";
import { PUT_RETRY_TIMEOUT_MS } from "./limits.ts";
import type { CommitRequest } from "../../protocol/meta/meta-service.ts";
import { MemoryBlockStore } from "../../testing/vfs/block-memory.ts";
import {
  createFile,
  patternBytes,
  readAll,
  testMount,
  TINY_GEOMETRY,
  type TestMount,
} from "../../testing/vfs/vfs-mount.ts";
import { O_DSYNC, O_RDWR } from "../vfs.ts";

const TINY = { geometry: TINY_GEOMETRY };
const MIB = 1024 * 1024;

function turns(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Keeps commits in order of arrival. */
function watchCommits({ meta }: TestMount): CommitRequest[] {
  const seen: CommitRequest[] = [];
  meta.hooks.set("commit", (go, [request]) => {
    seen.push(request as CommitRequest);
    return go();
  });
  return seen;
}

test("a full block is sent at once, and its slice committed when it is complete", async (t) => {
  const mount = await testMount(TINY);
  const { vfs, blocks } = mount;
  const commits = watchCommits(mount);
  const { fh } = await createFile(vfs, "file");
  await vfs.write(fh, 0, patternBytes(100), false);
  t.deepEqual(
    blocks.puts.map((ref) => ref.lengthBytes),
    [],
  );
  await turns();
  t.deepEqual(
    blocks.puts.map((ref) => ref.lengthBytes),
    [64],
  );
  t.is(commits.length, 0);
  await vfs.write(fh, 100, patternBytes(156), false);
  await turns();
  t.deepEqual(
    blocks.puts.map((ref) => [ref.index, ref.lengthBytes]),
    [
      [0, 64],
      [1, 64],
      [2, 64],
      [3, 64],
    ],
  );
  t.deepEqual(
    commits.map(({ extents }) => extents.map((extent) => extent.lengthBytes)),
    [[256]],
  );
});

test("a commit says by which map the first of a slice's blocks was placed", async (t) => {
  const mount = await testMount(TINY);
  const commits = watchCommits(mount);
  const { fh } = await createFile(mount.vfs, "file");
  for (const at of [0, 1, 2, 3]) {
    mount.blocks.epoch = (7 + at) as Epoch;
    await mount.vfs.write(fh, 128 * at, patternBytes(128), false);
    await turns();
  }
  const epochs = commits.flatMap(({ extents }) => extents.map(({ epoch }) => epoch));
  t.deepEqual(epochs, [7, 9]);
});

test("small runs go into the commit, larger ones become blocks, in one request", async (t) => {
  const mount = await testMount(TINY);
  const { vfs, blocks } = mount;
  const commits = watchCommits(mount);
  const { fh } = await createFile(vfs, "file");
  for (const [offset, length] of [
    [0, 10],
    [1000, 16],
    [2000, 30],
  ] as const) {
    await vfs.write(fh, offset, patternBytes(length), false);
  }
  let letGo: () => void = () => undefined;
  blocks.onPut = () => new Promise((resolve) => (letGo = resolve));
  const synced = vfs.fsync(fh);
  await turns();
  letGo();
  await synced;
  t.is(commits.length, 1);
  t.deepEqual(
    present(commits[0]).extents.map(({ posInChunk, lengthBytes, inline }) => [
      posInChunk,
      lengthBytes,
      inline?.length,
    ]),
    [
      [0, 10, 10],
      [1000, 16, 16],
      [2000, 30, undefined],
    ],
  );
  t.is(present(commits[0]).minSizeBytes, 2030);
  t.true(present(commits[0]).durable);
  t.deepEqual(
    blocks.puts.map((ref) => ref.lengthBytes),
    [30],
  );
});

test("writes next to and over a pending run join it", async (t) => {
  const mount = await testMount(TINY);
  const { vfs } = mount;
  const commits = watchCommits(mount);
  const { fh } = await createFile(vfs, "file");
  await vfs.write(fh, 0, patternBytes(5), false);
  await vfs.write(fh, 5, patternBytes(5), false);
  await vfs.write(fh, 3, Buffer.from("abc"), false);
  await vfs.flush(fh);
  const [extent] = present(commits[0]).extents;
  const expected = Buffer.concat([patternBytes(5), patternBytes(5)]);
  expected.write("abc", 3);
  t.is(present(commits[0]).extents.length, 1);
  t.deepEqual(Buffer.from(present(present(extent).inline)), expected);
});

test("writers wait while too much is dirty, and memory stays bounded", async (t) => {
  const maxDirtyBytes = 48 * MIB;
  const mount = await testMount({ maxDirtyBytes });
  const { vfs, blocks } = mount;
  const waiting: (() => void)[] = [];
  blocks.onPut = () => new Promise((resolve) => waiting.push(resolve));
  const { fh } = await createFile(vfs, "file");
  const data = patternBytes(MIB);
  let done = 0;
  const writing = (async () => {
    for (; done < 80; done += 1) await vfs.write(fh, done * MIB, data, false);
  })();
  for (let turn = 0; turn < 20; turn += 1) await turns();
  t.true(done * MIB >= maxDirtyBytes - BLOCK_BYTES && done * MIB <= maxDirtyBytes + BLOCK_BYTES);
  t.is(blocks.putBytesInFlight, MAX_PUT_BYTES_IN_FLIGHT);
  while (done < 80) {
    present(waiting.shift())();
    await turns();
  }
  await writing;
  blocks.onPut = () => undefined;
  for (const letGo of waiting.splice(0)) letGo();
  await vfs.flush(fh);
  t.is(blocks.maxPutBytesInFlight, MAX_PUT_BYTES_IN_FLIGHT);
});

test("many small random writes stay bounded in number and reach the server together", async (t) => {
  const mount = await testMount();
  const commits = watchCommits(mount);
  const { vfs } = mount;
  const { fh } = await createFile(vfs, "file");
  for (let number = 0; number < 3000; number += 1) {
    await vfs.write(fh, ((number * 7919) % 6007) * 8192, patternBytes(4096, number), false);
  }
  await vfs.flush(fh);
  t.true(commits.length <= 40, `${commits.length} commits`);
  t.is(
    commits.reduce((sum, { extents }) => sum + extents.length, 0),
    3000,
  );
});

test("idle data is committed without being asked for", async (t) => {
  const { vfs, meta, clock } = await testMount();
  const { fh } = await createFile(vfs, "file");
  await vfs.write(fh, 0, patternBytes(10), false);
  await clock.advance(4000);
  t.is(meta.counts.get("commit"), undefined);
  await clock.advance(3000);
  t.is(meta.counts.get("commit"), 1);
});

test("data that is written to all the time is committed when it is old", async (t) => {
  const { vfs, meta, clock } = await testMount();
  const { fh } = await createFile(vfs, "file");
  for (let second = 0; second < 29; second += 1) {
    await vfs.write(fh, second, patternBytes(1), false);
    await clock.advance(1000);
  }
  t.is(meta.counts.get("commit"), undefined);
  for (let second = 29; second < 34; second += 1) {
    await vfs.write(fh, second, patternBytes(1), false);
    await clock.advance(1000);
  }
  t.is(meta.counts.get("commit"), 1);
});

test("fsync makes blocks durable before the commit that cites them", async (t) => {
  const mount = await testMount(TINY);
  const { vfs, blocks, meta } = mount;
  const order: string[] = [];
  blocks.onPut = () => void order.push("put");
  blocks.onSync = (refs) => void order.push(`sync ${refs.length}`);
  meta.hooks.set("commit", (go, [request]) => {
    order.push(`commit ${(request as CommitRequest).durable ? "durable" : ""}`);
    return go();
  });
  const { fh } = await createFile(vfs, "file");
  await vfs.write(fh, 0, patternBytes(100), false);
  await vfs.fsync(fh);
  t.deepEqual(order, ["put", "put", "sync 2", "commit durable"]);
  t.is(meta.counts.get("syncFile"), undefined);
});

test("fsync through a later handle covers what an earlier one wrote", async (t) => {
  const { vfs, blocks, meta, clock } = await testMount(TINY);
  const { fh, attr } = await createFile(vfs, "file");
  await vfs.write(fh, 0, patternBytes(100), false);
  await vfs.flush(fh);
  vfs.release(fh);
  await clock.advance(100);
  t.is(blocks.synced.size, 0);
  const later = await vfs.open(ROOT_CALLER, attr.ino, 0);
  await vfs.fsync(later.fh);
  t.is(blocks.synced.size, 2);
  t.is(meta.counts.get("syncFile"), 1);
  await vfs.fsync(later.fh);
  t.is(meta.counts.get("syncFile"), 2);
});

test("nodes that can't sync fail the fsync after a while, and nothing is lost", async (t) => {
  const { vfs, blocks, meta, clock } = await testMount(TINY);
  const { fh } = await createFile(vfs, "file");
  await vfs.write(fh, 0, patternBytes(100), false);
  blocks.onSync = () => {
    throw new FsError("EIO", "injected");
  };
  const failing = t.throwsAsync(async () => vfs.fsync(fh), { code: "EIO" });
  for (let waited = 0; waited <= PUT_RETRY_TIMEOUT_MS + 1000; waited += 200)
    await clock.advance(200);
  await failing;
  await vfs.flush(fh);
  t.is(meta.counts.get("commit"), 1);
  blocks.onSync = () => undefined;
  await vfs.fsync(fh);
  t.is(blocks.synced.size, 2);
});

test("an fsync waits for nodes that will be able to sync in a moment", async (t) => {
  const { vfs, blocks, clock } = await testMount(TINY);
  const { fh } = await createFile(vfs, "file");
  await vfs.write(fh, 0, patternBytes(100), false);
  blocks.onSync = () => {
    throw new FsError("EIO", "injected");
  };
  const synced = t.notThrowsAsync(async () => vfs.fsync(fh));
  for (let waited = 0; waited < PUT_RETRY_TIMEOUT_MS - 1000; waited += 200)
    await clock.advance(200);
  blocks.onSync = () => undefined;
  await clock.advance(1000);
  await synced;
  t.is(blocks.synced.size, 2);
});

test("with O_DSYNC a write is durable when it returns", async (t) => {
  const mount = await testMount(TINY);
  const commits = watchCommits(mount);
  const { fh } = await createFile(mount.vfs, "file", O_RDWR | O_DSYNC);
  t.is(await mount.vfs.write(fh, 0, patternBytes(100), false), 100);
  t.deepEqual(
    commits.map(({ durable }) => durable),
    [true],
  );
  t.is(mount.blocks.synced.size, 2);
});

test("a put that fails for a while is tried again and nobody notices", async (t) => {
  const { vfs, blocks, clock } = await testMount(TINY);
  let left = 5;
  blocks.onPut = () => {
    left -= 1;
    if (left >= 0) throw new FsError("EIO", "injected");
  };
  const { fh } = await createFile(vfs, "file");
  await vfs.write(fh, 0, patternBytes(64), false);
  const flushed = vfs.flush(fh);
  for (let tries = 0; tries < 20; tries += 1) await clock.advance(200);
  await flushed;
  t.is(left, -1);
  t.deepEqual(await readAll(vfs, fh), patternBytes(64));
});

test("data that can't be written is readable until each handle was told once", async (t) => {
  const { vfs, blocks, clock } = await testMount(TINY);
  blocks.onPut = () => {
    throw new FsError("EIO", "injected");
  };
  const { fh, attr } = await createFile(vfs, "file");
  const other = await vfs.open(ROOT_CALLER, attr.ino, O_RDWR);
  await vfs.write(fh, 0, patternBytes(64), false);
  for (let waited = 0; waited <= PUT_RETRY_TIMEOUT_MS + 2000; waited += 200)
    await clock.advance(200);
  t.deepEqual(await readAll(vfs, fh), patternBytes(64));
  t.throws(() => vfs.write(fh, 64, patternBytes(1), false), { code: "EIO" });
  await t.throwsAsync(async () => vfs.fsync(fh), { code: "EIO" });
  await vfs.flush(fh);
  await t.throwsAsync(async () => vfs.fsync(other.fh), { code: "EIO" });
  await vfs.fsync(other.fh);
  t.deepEqual(await readAll(vfs, fh), Buffer.alloc(0));
  blocks.onPut = () => undefined;
  await vfs.write(fh, 0, patternBytes(64, 2), false);
  await vfs.flush(fh);
  t.deepEqual(await readAll(vfs, fh), patternBytes(64, 2));
});

test("a failed commit is told at each close, and the old bytes are read after it", async (t) => {
  const { vfs, meta } = await testMount(TINY);
  const { fh } = await createFile(vfs, "file");
  await vfs.write(fh, 0, patternBytes(100), false);
  await vfs.flush(fh);
  meta.hooks.set("commit", () => Promise.reject(new FsError("EDQUOT", "injected")));
  await vfs.write(fh, 0, patternBytes(100, 5), false);
  await t.throwsAsync(async () => vfs.flush(fh), { code: "EDQUOT" });
  meta.hooks.delete("commit");
  t.deepEqual(await readAll(vfs, fh), patternBytes(100));
  // A child that was started meanwhile was the first to close it.
  await t.throwsAsync(async () => vfs.flush(fh), { code: "EDQUOT" });
  await t.throwsAsync(async () => vfs.fsync(fh), { code: "EDQUOT" });
  await vfs.flush(fh);
});

test("concurrent writers of one file to places of their own lose nothing", async (t) => {
  const blocks = new MemoryBlockStore();
  blocks.onPut = turns;
  const { vfs } = await testMount({ ...TINY, blocks, maxDirtyBytes: 64 * 1024 });
  const { attr } = await createFile(vfs, "file");
  const writer = async (number: number): Promise<void> => {
    const { fh } = await vfs.open(ROOT_CALLER, attr.ino, O_RDWR);
    for (let round = 0; round < 30; round += 1) {
      const offset = (round * 8 + number) * 50;
      await vfs.write(fh, offset, patternBytes(50, round * 8 + number), false);
      if (round % 7 === number % 7) await vfs.flush(fh);
    }
    await vfs.flush(fh);
    vfs.release(fh);
  };
  await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map(writer));
  const { fh } = await vfs.open(ROOT_CALLER, attr.ino, 0);
  const expected = Buffer.concat(
    Array.from({ length: 240 }, (_, index) => patternBytes(50, index)),
  );
  t.deepEqual(await readAll(vfs, fh), expected);
});

test("a write that arrives during a truncation comes after it", async (t) => {
  const { vfs, meta } = await testMount(TINY);
  const { fh, attr } = await createFile(vfs, "file");
  await vfs.write(fh, 0, patternBytes(100), false);
  let letGo: () => void = () => undefined;
  meta.hooks.set("setattr", async (go) => {
    await new Promise<void>((resolve) => (letGo = resolve));
    return go();
  });
  const truncated = vfs.setattr(ROOT_CALLER, attr.ino, { sizeBytes: 10 }, fh);
  for (let turn = 0; turn < 5; turn += 1) await turns();
  const written = vfs.write(fh, 50, patternBytes(5, 1), false);
  t.true(written instanceof Promise);
  letGo();
  await Promise.all([truncated, written]);
  const expected = Buffer.concat([patternBytes(10), Buffer.alloc(40), patternBytes(5, 1)]);
  t.deepEqual(await readAll(vfs, fh), expected);
  await vfs.flush(fh);
  t.deepEqual(await readAll(vfs, fh), expected);
});

test("fsyncs that come together share work, each covers what was written before it", async (t) => {
  const mount = await testMount(TINY);
  const commits = watchCommits(mount);
  const { vfs } = mount;
  const { fh } = await createFile(vfs, "file");
  const syncs: Promise<void>[] = [];
  for (let number = 0; number < 20; number += 1) {
    await vfs.write(fh, number * 100, patternBytes(5), false);
    syncs.push(vfs.fsync(fh));
  }
  await Promise.all(syncs);
  t.is(
    commits.filter(({ durable }) => durable).reduce((sum, { extents }) => sum + extents.length, 0),
    20,
  );
  t.true(commits.length <= 10, `${commits.length} commits`);
});
