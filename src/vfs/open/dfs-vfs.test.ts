import test from "ava";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { ROOT_INO } from "../../domain/ids.ts";
import { toName } from "../../domain/name.ts";
import type { MetaService } from "../../protocol/meta/meta-service.ts";
import {
  createFile,
  patternBytes,
  readAll,
  testMount,
  TINY_GEOMETRY,
} from "../../testing/vfs/vfs-mount.ts";
import { O_EXCL, O_RDWR, O_TRUNC } from "../vfs.ts";

/** Which requests the counts have grown by since `before`. */
function since(
  counts: ReadonlyMap<keyof MetaService, number>,
  before: ReadonlyMap<keyof MetaService, number>,
): Record<string, number> {
  const grown: Record<string, number> = {};
  for (const [method, count] of counts) {
    const by = count - (before.get(method) ?? 0);
    if (by !== 0) grown[method] = by;
  }
  return grown;
}

test("a small file costs a create, one commit when it is flushed, a release later", async (t) => {
  const { vfs, meta, blocks, clock } = await testMount();
  const { fh } = await createFile(vfs, "first");
  await vfs.flush(fh);
  vfs.release(fh);
  await clock.advance(100);
  for (let number = 0; number < 20; number += 1) {
    const before = new Map(meta.counts);
    const small = await createFile(vfs, `small-${number}`);
    t.is(vfs.write(small.fh, 0, patternBytes(4096), false), 4096);
    await vfs.flush(small.fh);
    vfs.release(small.fh);
    t.deepEqual(since(meta.counts, before), { create: 1, commit: 1 });
    await clock.advance(100);
    t.deepEqual(since(meta.counts, before), { create: 1, commit: 1, release: 1 });
  }
  t.is(meta.counts.get("allocateSlices"), 1);
  t.is(blocks.puts.length, 0);
});

test("a small file is read with one open, and closed with a release later", async (t) => {
  const first = await testMount();
  const { fh, attr } = await createFile(first.vfs, "small");
  await first.vfs.write(fh, 0, patternBytes(4096), false);
  await first.vfs.flush(fh);
  const { vfs, meta, clock } = await testMount(first);
  const opened = await vfs.open(ROOT_CALLER, attr.ino, 0);
  t.deepEqual(await readAll(vfs, opened.fh), patternBytes(4096));
  t.is(vfs.flush(opened.fh), undefined);
  vfs.release(opened.fh);
  await clock.advance(100);
  t.deepEqual(Object.fromEntries(meta.counts), { open: 1, release: 1 });
});

test("many files closed together are released with one request", async (t) => {
  const { vfs, meta, clock } = await testMount();
  for (let number = 0; number < 50; number += 1) {
    const { fh } = await createFile(vfs, `file-${number}`);
    vfs.release(fh);
  }
  await clock.advance(100);
  t.is(meta.counts.get("release"), 1);
});

test("what was written is read back: dirty, after the flush, and by another client", async (t) => {
  const first = await testMount({ geometry: TINY_GEOMETRY });
  const { vfs } = first;
  const data = patternBytes(1000);
  const { fh, attr } = await createFile(vfs, "file");
  await vfs.write(fh, 0, data, false);
  t.deepEqual(await readAll(vfs, fh), data);
  await vfs.flush(fh);
  t.deepEqual(await readAll(vfs, fh), data);
  const second = await testMount({ ...first, geometry: TINY_GEOMETRY });
  const opened = await second.vfs.open(ROOT_CALLER, attr.ino, O_RDWR);
  t.is(opened.attr.sizeBytes, 1000);
  t.deepEqual(await readAll(second.vfs, opened.fh), data);
});

test("a client that opens after another's close sees what was written, at any size", async (t) => {
  const first = await testMount({ geometry: TINY_GEOMETRY });
  const second = await testMount({ ...first, geometry: TINY_GEOMETRY });
  const { fh, attr } = await createFile(first.vfs, "file");
  for (let round = 0; round < 10; round += 1) {
    const [writer, reader] = round % 2 === 0 ? [first, second] : [second, first];
    const data = patternBytes(40 * (round + 1), round);
    const written = await writer.vfs.open(ROOT_CALLER, attr.ino, O_RDWR);
    await writer.vfs.write(written.fh, 0, data, false);
    await writer.vfs.flush(written.fh);
    writer.vfs.release(written.fh);
    const opened = await reader.vfs.open(ROOT_CALLER, attr.ino, 0);
    t.false(opened.keepCache);
    t.deepEqual(await readAll(reader.vfs, opened.fh), data);
    reader.vfs.release(opened.fh);
  }
  first.vfs.release(fh);
});

test("stat and lookup show the size and time of what is written and not committed", async (t) => {
  const { vfs, clock, meta } = await testMount();
  const { fh, attr } = await createFile(vfs, "file");
  await clock.advance(5000);
  await vfs.write(fh, 100, patternBytes(50), false);
  const nowSec = Math.floor(clock.nowMs() / 1000);
  for (const shown of [
    await vfs.getattr(ROOT_CALLER, attr.ino),
    await vfs.lookup(ROOT_CALLER, ROOT_INO, toName("file")),
  ]) {
    t.is(shown.sizeBytes, 150);
    t.is(shown.mtimeSec, nowSec);
  }
  t.is(meta.counts.get("commit"), undefined);
});

test("a stale reply to lookup doesn't shrink a file that has grown since", async (t) => {
  const { vfs, meta } = await testMount();
  const { fh } = await createFile(vfs, "file");
  let letGo: () => void = () => undefined;
  meta.hooks.set("lookup", async (go) => {
    const reply = await go();
    await new Promise<void>((resolve) => (letGo = resolve));
    return reply;
  });
  const lookup = vfs.lookup(ROOT_CALLER, ROOT_INO, toName("file"));
  await new Promise(setImmediate);
  await vfs.write(fh, 0, patternBytes(4096), false);
  await vfs.flush(fh);
  letGo();
  t.is((await lookup).sizeBytes, 4096);
});

test("times set before the close stay, though data was written before", async (t) => {
  const { vfs, clock } = await testMount();
  const { fh, attr } = await createFile(vfs, "file");
  await vfs.write(fh, 0, patternBytes(10), false);
  await vfs.setattr(ROOT_CALLER, attr.ino, { mtime: { sec: 1234, nsec: 5 } }, fh);
  await vfs.flush(fh);
  vfs.release(fh);
  await clock.advance(10_000);
  const after = await vfs.getattr(ROOT_CALLER, attr.ino);
  t.is(after.mtimeSec, 1234);
  t.is(after.sizeBytes, 10);
});

test("O_TRUNC empties a file, with handles open and data dirty", async (t) => {
  const { vfs } = await testMount({ geometry: TINY_GEOMETRY });
  const { fh, attr } = await createFile(vfs, "file");
  await vfs.write(fh, 0, patternBytes(500), false);
  const again = await vfs.open(ROOT_CALLER, attr.ino, O_RDWR | O_TRUNC);
  t.is(again.attr.sizeBytes, 0);
  t.deepEqual(await readAll(vfs, fh), Buffer.alloc(0));
  await vfs.write(fh, 20, patternBytes(5), false);
  const expected = Buffer.concat([Buffer.alloc(20), patternBytes(5)]);
  t.deepEqual(await readAll(vfs, again.fh), expected);
});

test("create opens what exists unless it is to be exclusive", async (t) => {
  const { vfs } = await testMount();
  const { fh } = await createFile(vfs, "file");
  await vfs.write(fh, 0, patternBytes(10), false);
  const again = await createFile(vfs, "file");
  t.is(again.attr.sizeBytes, 10);
  t.is((await createFile(vfs, "file", O_RDWR | O_TRUNC)).attr.sizeBytes, 0);
  await t.throwsAsync(createFile(vfs, "file", O_RDWR | O_EXCL), { code: "EEXIST" });
});

test("an unlinked file works until it is closed, and tells that it has no name", async (t) => {
  const { vfs, clock } = await testMount({ geometry: TINY_GEOMETRY });
  const { fh, attr } = await createFile(vfs, "file");
  await vfs.unlink(ROOT_CALLER, ROOT_INO, toName("file"));
  await vfs.write(fh, 0, patternBytes(300), false);
  await vfs.fsync(fh);
  t.deepEqual(await readAll(vfs, fh), patternBytes(300));
  t.is((await vfs.getattr(ROOT_CALLER, attr.ino)).nlink, 0);
  vfs.release(fh);
  await clock.advance(100);
  await t.throwsAsync(async () => vfs.getattr(ROOT_CALLER, attr.ino), { code: "ENOENT" });
});

test("the kernel keeps its pages of a file that nobody changed since the last close", async (t) => {
  const first = await testMount();
  const { vfs } = first;
  const { fh, attr } = await createFile(vfs, "file");
  await vfs.write(fh, 0, patternBytes(10), false);
  await vfs.flush(fh);
  vfs.release(fh);
  const again = await vfs.open(ROOT_CALLER, attr.ino, 0);
  t.true(again.keepCache);
  vfs.release(again.fh);
  const second = await testMount(first);
  const other = await second.vfs.open(ROOT_CALLER, attr.ino, O_RDWR);
  t.false(other.keepCache);
  await first.clock.advance(1);
  await second.vfs.write(other.fh, 0, patternBytes(10, 1), false);
  await second.vfs.flush(other.fh);
  t.false((await vfs.open(ROOT_CALLER, attr.ino, 0)).keepCache);
});

test("a file that this client has changed in part isn't known at the next open", async (t) => {
  const { vfs } = await testMount();
  const { fh, attr } = await createFile(vfs, "file");
  await vfs.write(fh, 0, patternBytes(10), false);
  await vfs.flush(fh);
  vfs.release(fh);
  const again = await vfs.open(ROOT_CALLER, attr.ino, O_RDWR);
  await vfs.write(again.fh, 3, patternBytes(2, 9), false);
  await vfs.flush(again.fh);
  vfs.release(again.fh);
  t.false((await vfs.open(ROOT_CALLER, attr.ino, 0)).keepCache);
});

test("a read-only mount changes nothing", async (t) => {
  const first = await testMount();
  const { attr } = await createFile(first.vfs, "file");
  const { vfs } = await testMount({ ...first, readOnly: true });
  const name = toName("x");
  const code = { code: "EROFS" };
  await t.throwsAsync(async () => createFile(vfs, "y"), code);
  await t.throwsAsync(async () => vfs.open(ROOT_CALLER, attr.ino, O_RDWR), code);
  await t.throwsAsync(async () => vfs.open(ROOT_CALLER, attr.ino, O_TRUNC), code);
  await t.throwsAsync(async () => vfs.mkdir(ROOT_CALLER, ROOT_INO, name, 0o755), code);
  await t.throwsAsync(async () => vfs.unlink(ROOT_CALLER, ROOT_INO, toName("file")), code);
  await t.throwsAsync(async () => vfs.setattr(ROOT_CALLER, attr.ino, { mode: 0 }), code);
  await t.throwsAsync(
    async () => vfs.setxattr(ROOT_CALLER, attr.ino, "user.a", new Uint8Array(1), 0),
    code,
  );
  const { fh } = await vfs.open(ROOT_CALLER, attr.ino, 0);
  t.throws(() => vfs.write(fh, 0, patternBytes(1), false), { code: "EBADF" });
});

test("a lost session costs nothing that was written before or is written after", async (t) => {
  const first = await testMount({ geometry: TINY_GEOMETRY });
  const { vfs, meta } = first;
  const { fh, attr } = await createFile(vfs, "file");
  const unlinked = await createFile(vfs, "unlinked");
  await vfs.unlink(ROOT_CALLER, ROOT_INO, toName("unlinked"));
  await vfs.write(fh, 0, patternBytes(1000), false);
  await new Promise(setImmediate);
  await meta.lose();
  await new Promise(setImmediate);
  await vfs.write(fh, 1000, patternBytes(24, 3), false);
  await vfs.fsync(fh);
  const second = await testMount({ ...first, geometry: TINY_GEOMETRY });
  const opened = await second.vfs.open(ROOT_CALLER, attr.ino, 0);
  const expected = Buffer.concat([patternBytes(1000), patternBytes(24, 3)]);
  t.deepEqual(await readAll(second.vfs, opened.fh), expected);
  await t.throwsAsync(async () => vfs.read(unlinked.fh, 0, 1), { code: "EIO" });
  await vfs.unlink(ROOT_CALLER, ROOT_INO, toName("file"));
  second.vfs.release(opened.fh);
  t.is((await vfs.getattr(ROOT_CALLER, attr.ino)).nlink, 0);
});

test("close commits what is dirty and releases what is open", async (t) => {
  const first = await testMount({ geometry: TINY_GEOMETRY });
  const { fh, attr } = await createFile(first.vfs, "file");
  await first.vfs.write(fh, 0, patternBytes(200), false);
  await first.vfs.close();
  t.is(first.meta.counts.get("release"), 1);
  const { vfs } = await testMount({ ...first, geometry: TINY_GEOMETRY });
  const opened = await vfs.open(ROOT_CALLER, attr.ino, 0);
  t.deepEqual(await readAll(vfs, opened.fh), patternBytes(200));
});
