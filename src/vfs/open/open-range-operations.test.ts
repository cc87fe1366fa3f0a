import test from "ava";
import fc from "fast-check";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import { ROOT_INO } from "../../domain/ids.ts";
import { CHUNK_BYTES } from "../../domain/format.ts";
import { MAX_FILE_BYTES } from "../../domain/limits.ts";
import { PUT_RETRY_TIMEOUT_MS } from "../write/limits.ts";
import { toName } from "../../domain/name.ts";
import { blockName } from "../../testing/vfs/block-memory.ts";
import { FsxModel } from "../../testing/fsx/fsx-model.ts";
import { seedFromEnvironment } from "../../testing/engine/engine-conformance.ts";
import {
  createFile,
  patternBytes,
  readAll,
  testMount,
  TINY_GEOMETRY,
  type TestMount,
} from "../../testing/vfs/vfs-mount.ts";
import { FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_ZERO_RANGE, O_RDWR } from "../vfs.ts";

const PUNCH = FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE;
const TIB = 1024 ** 4;
const WRITE_ONLY = 1;

async function tiny(): Promise<TestMount> {
  return testMount({ geometry: TINY_GEOMETRY });
}

test("fallocate grows a file, or leaves its size, and allots nothing", async (t) => {
  const { vfs } = await tiny();
  const { fh, attr } = await createFile(vfs, "f");
  await vfs.fallocate(ROOT_CALLER, fh, 0, 100, 900);
  t.like(await vfs.getattr(ROOT_CALLER, attr.ino), { sizeBytes: 1000, allocatedBytes: 0 });
  await vfs.fallocate(ROOT_CALLER, fh, FALLOC_KEEP_SIZE, 0, 5000);
  t.like(await vfs.getattr(ROOT_CALLER, attr.ino), { sizeBytes: 1000 });
});

test("fallocate counts what isn't committed yet", async (t) => {
  const { vfs } = await tiny();
  const { fh, attr } = await createFile(vfs, "f");
  await vfs.write(fh, 0, patternBytes(300), false);
  await vfs.fallocate(ROOT_CALLER, fh, 0, 0, 200);
  t.like(await vfs.getattr(ROOT_CALLER, attr.ino), { sizeBytes: 300 });
  t.deepEqual(await readAll(vfs, fh), patternBytes(300));
});

test("dirty bytes count as allotted, because no blocks would say no data", async (t) => {
  const { vfs } = await tiny();
  const { fh, attr } = await createFile(vfs, "f");
  const allotted = async (): Promise<number> =>
    (await vfs.getattr(ROOT_CALLER, attr.ino)).allocatedBytes;
  await vfs.write(fh, 10_000, patternBytes(300), false);
  t.is(await allotted(), 300);
  await vfs.flush(fh);
  t.is(await allotted(), 300);
  await vfs.write(fh, 10_000, patternBytes(300), false);
  t.true((await allotted()) >= 300);
  await vfs.flush(fh);
  t.is(await allotted(), 300);
});

test("a hole is punched through dirty and committed bytes alike", async (t) => {
  const { vfs } = await tiny();
  const { fh } = await createFile(vfs, "f");
  const bytes = patternBytes(500);
  await vfs.write(fh, 0, bytes.subarray(0, 250), false);
  await vfs.fsync(fh);
  await vfs.write(fh, 250, bytes.subarray(250), false);
  await vfs.fallocate(ROOT_CALLER, fh, PUNCH, 200, 100);
  bytes.fill(0, 200, 300);
  t.deepEqual(await readAll(vfs, fh), bytes);
  await vfs.fallocate(ROOT_CALLER, fh, FALLOC_ZERO_RANGE, 490, 20);
  bytes.fill(0, 490);
  t.deepEqual(await readAll(vfs, fh), Buffer.concat([bytes, Buffer.alloc(10)]));
});

test("what fallocate can't do is refused, each with its errno", async (t) => {
  const { vfs, meta } = await tiny();
  const { fh, attr } = await createFile(vfs, "f");
  const refused = (mode: number, offset: number, length: number, handle = fh): Promise<unknown> =>
    vfs.fallocate(ROOT_CALLER, handle, mode, offset, length);
  for (const mode of [0x08, 0x20, 0x40, FALLOC_PUNCH_HOLE, PUNCH | FALLOC_ZERO_RANGE]) {
    await t.throwsAsync(refused(mode, 0, 4096), { code: "EOPNOTSUPP" }, String(mode));
  }
  await t.throwsAsync(refused(0, MAX_FILE_BYTES, 1), { code: "EFBIG" });
  await t.throwsAsync(refused(0, 0, 0), { code: "EINVAL" });
  const reader = await vfs.open(ROOT_CALLER, attr.ino, 0);
  await t.throwsAsync(refused(0, 0, 1, reader.fh), { code: "EBADF" });
  const full = { totalBytes: 1000, freeBytes: 99, inodes: 1 };
  meta.hooks.set("statfs", () => Promise.resolve(full));
  await t.throwsAsync(refused(0, 0, 100), { code: "ENOSPC" });
  await t.notThrowsAsync(refused(0, 0, 99));
  await t.notThrowsAsync(refused(PUNCH, 0, 100));
});

test("the size limit is told as EFBIG by truncation and writing too", async (t) => {
  const { vfs } = await tiny();
  const { fh, attr } = await createFile(vfs, "f");
  const truncate = (sizeBytes: number): Promise<unknown> =>
    vfs.setattr(ROOT_CALLER, attr.ino, { sizeBytes }, fh);
  await t.throwsAsync(truncate(MAX_FILE_BYTES + 1), { code: "EFBIG" });
  await t.throwsAsync(truncate(2 ** 62), { code: "EFBIG" });
  t.throws(() => vfs.write(fh, MAX_FILE_BYTES, Buffer.alloc(1), false), {
    code: "EFBIG",
  });
  await truncate(MAX_FILE_BYTES);
  await vfs.write(fh, MAX_FILE_BYTES - 1, Buffer.from("x"), false);
  await vfs.flush(fh);
  t.is((await readAll(vfs, fh, MAX_FILE_BYTES - 1)).toString(), "x");
});

test("data and holes are found in what is committed and in what is dirty", async (t) => {
  const { vfs, meta } = await tiny();
  const { fh } = await createFile(vfs, "f");
  await vfs.write(fh, 1000, patternBytes(100), false);
  await vfs.flush(fh);
  await vfs.write(fh, 1100, patternBytes(50), false);
  await vfs.write(fh, TIB, patternBytes(10), false);
  const commits = meta.counts.get("commit");
  t.is(await vfs.seek(fh, 0, "data"), 1000);
  t.is(await vfs.seek(fh, 0, "hole"), 0);
  t.is(await vfs.seek(fh, 1020, "hole"), 1150);
  t.is(await vfs.seek(fh, 1120, "data"), 1120);
  t.is(await vfs.seek(fh, 1150, "data"), TIB);
  t.is(await vfs.seek(fh, TIB, "hole"), TIB + 10, "there is a hole at the end of every file");
  t.is(meta.counts.get("commit"), commits, "nothing had to be sent for it");
  for (const offset of [TIB + 10, TIB + 11, 2 ** 63]) {
    await t.throwsAsync(vfs.seek(fh, offset, "data"), { code: "ENXIO" });
    await t.throwsAsync(vfs.seek(fh, offset, "hole"), { code: "ENXIO" });
  }
  await vfs.fallocate(ROOT_CALLER, fh, 0, TIB, 100);
  await t.throwsAsync(vfs.seek(fh, TIB + 10, "data"), { code: "ENXIO" }, "only a hole is left");
});

test("a copy by reference moves no byte and sees what was written just before", async (t) => {
  const { vfs, blocks, meta } = await tiny();
  const source = await createFile(vfs, "source");
  const target = await createFile(vfs, "target");
  const bytes = patternBytes(1000);
  await vfs.write(source.fh, 0, bytes, false);
  await vfs.flush(source.fh);
  await vfs.write(source.fh, 400, Buffer.from("dirty"), false);
  bytes.write("dirty", 400);
  await vfs.write(target.fh, 0, patternBytes(200, 5), false);
  const at = (fh: number, offset: number): { fh: number; offset: number } => ({ fh, offset });
  const copied = await vfs.copyRange(ROOT_CALLER, at(source.fh, 33), at(target.fh, 100), 5000);
  t.is(copied, 967);
  const puts = blocks.puts.length;
  const expected = Buffer.concat([patternBytes(200, 5).subarray(0, 100), bytes.subarray(33)]);
  t.deepEqual(await readAll(vfs, target.fh), expected);
  t.is(meta.counts.get("copyRange"), 1);
  await vfs.unlink(ROOT_CALLER, ROOT_INO, toName("source"));
  vfs.release(source.fh);
  t.deepEqual(await readAll(vfs, target.fh), expected);
  t.is(blocks.puts.length, puts);
});

test("a copy costs one request, and nothing at the nodes, however many there were", async (t) => {
  const { vfs, meta, blocks } = await tiny();
  const source = await createFile(vfs, "source");
  await vfs.write(source.fh, 0, patternBytes(500), false);
  await vfs.flush(source.fh);
  meta.counts.clear();
  const from = { fh: source.fh, offset: 0 };
  for (let number = 0; number < 1100; number += 1) {
    const { fh } = await createFile(vfs, `copy-${number}`);
    t.is(await vfs.copyRange(ROOT_CALLER, from, { fh, offset: 0 }, 500), 500);
  }
  t.deepEqual(Object.fromEntries(meta.counts), { create: 1100, copyRange: 1100 });
  t.is(blocks.synced.size, 0);
});

test("copies want the right handles, and don't go beyond the largest file", async (t) => {
  const { vfs } = await tiny();
  const f = await createFile(vfs, "f");
  await vfs.write(f.fh, 0, patternBytes(100), false);
  const writer = await vfs.open(ROOT_CALLER, f.attr.ino, WRITE_ONLY);
  const reader = await vfs.open(ROOT_CALLER, f.attr.ino, 0);
  const copy = (from: number, to: number, targetOffset: number): Promise<number> =>
    vfs.copyRange(ROOT_CALLER, { fh: from, offset: 0 }, { fh: to, offset: targetOffset }, 50);
  await t.throwsAsync(copy(writer.fh, f.fh, 200), { code: "EBADF" });
  await t.throwsAsync(copy(f.fh, reader.fh, 200), { code: "EBADF" });
  await t.throwsAsync(copy(f.fh, f.fh, MAX_FILE_BYTES), { code: "EFBIG" });
  await t.throwsAsync(copy(f.fh, f.fh, 20), { code: "EINVAL" });
  t.is(await copy(f.fh, f.fh, MAX_FILE_BYTES - 5), 5);
});

test("fsync of a copy makes the source's blocks durable, whoever wrote them", async (t) => {
  const writer = await tiny();
  const file = await createFile(writer.vfs, "source");
  await writer.vfs.write(file.fh, 0, patternBytes(1000), false);
  await writer.vfs.flush(file.fh);
  const copier = await testMount({ ...writer, geometry: TINY_GEOMETRY });
  const source = await copier.vfs.open(ROOT_CALLER, file.attr.ino, 0);
  const target = await createFile(copier.vfs, "target");
  const to = { fh: target.fh, offset: 7 };
  await copier.vfs.copyRange(ROOT_CALLER, { fh: source.fh, offset: 0 }, to, 1000);
  t.is(writer.blocks.synced.size, 0);
  writer.blocks.onSync = () => {
    throw new FsError("EIO", "injected");
  };
  const failing = t.throwsAsync(copier.vfs.fsync(target.fh), { code: "EIO" });
  for (let waited = 0; waited <= PUT_RETRY_TIMEOUT_MS + 1000; waited += 200) {
    await copier.clock.advance(200);
  }
  await failing;
  writer.blocks.onSync = () => undefined;
  copier.vfs.release(target.fh);
  const again = await copier.vfs.open(ROOT_CALLER, target.attr.ino, O_RDWR);
  await copier.vfs.fsync(again.fh);
  t.deepEqual(writer.blocks.synced, new Set(writer.blocks.puts.map(blockName)));
});

test("an unnamed file can be written, read and named", async (t) => {
  const { vfs } = await tiny();
  const { fh, attr } = await vfs.createUnnamed(ROOT_CALLER, ROOT_INO, 0o100600, O_RDWR);
  t.is(attr.nlink, 0);
  await vfs.write(fh, 0, patternBytes(300), false);
  t.is((await vfs.link(ROOT_CALLER, attr.ino, ROOT_INO, toName("named"))).nlink, 1);
  vfs.release(fh);
  const named = await vfs.open(ROOT_CALLER, attr.ino, 0);
  t.deepEqual(await readAll(vfs, named.fh), patternBytes(300));
});

test("a change in steps that fails half-way leaves nothing stale in the cache", async (t) => {
  const { vfs, meta } = await tiny();
  const { fh } = await createFile(vfs, "f");
  await vfs.write(fh, 0, patternBytes(300), false);
  await vfs.flush(fh);
  t.deepEqual(await readAll(vfs, fh), patternBytes(300));
  meta.hooks.set("changeRange", async (go) => {
    await go();
    throw new FsError("ETIMEDOUT", "injected");
  });
  await t.throwsAsync(vfs.fallocate(ROOT_CALLER, fh, PUNCH, 0, 300), { code: "ETIMEDOUT" });
  t.deepEqual(await readAll(vfs, fh), Buffer.alloc(300));
});

const WINDOW_BYTES = 600;
const step = fc.record({
  op: fc.constantFrom(
    "write",
    "write",
    "punch",
    "zero",
    "copy",
    "copy",
    "read",
    "flush",
    "truncate",
  ),
  file: fc.nat(1),
  target: fc.nat(1),
  at: fc.nat(WINDOW_BYTES - 1),
  to: fc.nat(WINDOW_BYTES - 1),
  length: fc.integer({ min: 1, max: 250 }),
  seed: fc.nat(200),
});

test("files read as plain bytes would, whatever is written, punched and copied", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 50 }), async (steps) => {
      const { vfs } = await tiny();
      const base = CHUNK_BYTES - WINDOW_BYTES / 2;
      const files = await Promise.all(
        ["a", "b"].map(async (name) => ({
          ...(await createFile(vfs, name)),
          model: new FsxModel(base, WINDOW_BYTES),
        })),
      );
      const check = async ({ fh, model }: (typeof files)[number]): Promise<void> => {
        const found = await readAll(vfs, fh, base, WINDOW_BYTES);
        if (!found.equals(model.read(base, WINDOW_BYTES))) throw new Error("wrong bytes");
      };
      for (const { op, file: index, target, at, to, length, seed } of steps) {
        const file = files[index];
        const other = files[target];
        if (file === undefined || other === undefined) continue;
        const { fh, model } = file;
        const offset = base + at;
        const count = Math.min(length, WINDOW_BYTES - at);
        if (op === "write") {
          await vfs.write(fh, offset, patternBytes(count, seed), false);
          model.write(offset, patternBytes(count, seed));
        } else if (op === "punch" || op === "zero") {
          const mode = op === "punch" ? PUNCH : FALLOC_ZERO_RANGE;
          await vfs.fallocate(ROOT_CALLER, fh, mode, offset, count);
          model.clear(offset, offset + count);
          if (op === "zero") model.extend(offset + count);
        } else if (op === "truncate") {
          await vfs.setattr(ROOT_CALLER, file.attr.ino, { sizeBytes: offset }, fh);
          model.truncate(offset);
        } else if (op === "copy") {
          const usable = Math.min(count, WINDOW_BYTES - to);
          const bytes = Buffer.from(model.read(offset, usable));
          if (file === other && Math.abs(at - to) < usable) continue;
          const place = { fh: other.fh, offset: base + to };
          const copied = await vfs.copyRange(ROOT_CALLER, { fh, offset }, place, usable);
          if (copied !== bytes.length) throw new Error(`${copied} of ${bytes.length} copied`);
          if (copied > 0) other.model.write(base + to, bytes);
        } else if (op === "flush") {
          await vfs.flush(fh);
        } else {
          await check(file);
        }
      }
      for (const file of files) await check(file);
    }),
    { numRuns: 150, ...seedFromEnvironment() },
  );
  t.pass();
});
