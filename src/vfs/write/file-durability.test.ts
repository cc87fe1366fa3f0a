// fsync covers a file's bytes, whoever wrote them; what dies with a client, and what it leaves on
// disk.
import test from "ava";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import { ROOT_INO } from "../../domain/ids.ts";
import { toName } from "../../domain/name.ts";
import { blockName } from "../../testing/vfs/block-memory.ts";
import {
  createFile,
  patternBytes,
  readAll,
  testMount,
  TINY_GEOMETRY,
  type TestMount,
} from "../../testing/vfs/vfs-mount.ts";
import { O_RDWR } from "../vfs.ts";
import { PUT_RETRY_TIMEOUT_MS } from "./limits.ts";

const TINY = { geometry: TINY_GEOMETRY };
const INJECTED = new FsError("EIO", "injected");

function another(mount: TestMount): Promise<TestMount> {
  return testMount({ ...mount, ...TINY });
}

/** Writes and closes a file; on the nodes, but not on their disks. */
async function leave({ vfs }: TestMount, name: string, bytes = patternBytes(100)) {
  const { fh, attr } = await createFile(vfs, name);
  await vfs.write(fh, 0, bytes, false);
  await vfs.flush(fh);
  vfs.release(fh);
  return attr.ino;
}

test("an fsync covers what another client wrote and never synced, once", async (t) => {
  const writer = await testMount(TINY);
  const ino = await leave(writer, "file");
  const { vfs, blocks, meta } = await another(writer);
  const { fh } = await vfs.open(ROOT_CALLER, ino, 0);
  t.is(blocks.synced.size, 0);
  await vfs.fsync(fh);
  t.deepEqual(blocks.synced, new Set(blocks.puts.map(blockName)));
  blocks.onSync = () => t.fail("it is known to be on disk");
  await vfs.fsync(fh);
  t.is(meta.counts.get("settle"), 1);
});

test("an fsync with bytes of its own covers another client's, too", async (t) => {
  const writer = await testMount(TINY);
  const ino = await leave(writer, "file");
  const { vfs, blocks } = await another(writer);
  const { fh } = await vfs.open(ROOT_CALLER, ino, O_RDWR);
  await vfs.write(fh, 1000, patternBytes(100), false);
  await vfs.fsync(fh);
  t.is(blocks.synced.size, 4);
});

test("an fsync covers what was written before the mount died", async (t) => {
  const dead = await testMount(TINY);
  const ino = await leave(dead, "file");
  await dead.meta.lose();
  const { vfs, blocks } = await another(dead);
  const { fh } = await vfs.open(ROOT_CALLER, ino, 0);
  await vfs.fsync(fh);
  t.is(blocks.synced.size, 2);
});

test("an fsync of a copy covers it on a client that never saw its source", async (t) => {
  const writer = await testMount(TINY);
  const sourceIno = await leave(writer, "source");
  const copier = await another(writer);
  const source = await copier.vfs.open(ROOT_CALLER, sourceIno, 0);
  const target = await createFile(copier.vfs, "copy");
  const at = (fh: number) => ({ fh, offset: 0 });
  await copier.vfs.copyRange(ROOT_CALLER, at(source.fh), at(target.fh), 100);
  await writer.vfs.unlink(ROOT_CALLER, ROOT_INO, toName("source"));
  const { vfs, blocks } = await another(writer);
  const { fh } = await vfs.open(ROOT_CALLER, target.attr.ino, 0);
  await vfs.fsync(fh);
  t.is(blocks.synced.size, 2);
});

test("what is overwritten and collected while it is synced needs not be on disk", async (t) => {
  const writer = await testMount(TINY);
  const ino = await leave(writer, "file");
  const { vfs, blocks, clock } = await another(writer);
  const { fh } = await vfs.open(ROOT_CALLER, ino, O_RDWR);
  let asked = 0;
  blocks.onSync = async (refs) => {
    asked += 1;
    if (asked > 1) return;
    await writer.vfs.setattr(ROOT_CALLER, ino, { sizeBytes: 0 });
    for (const ref of refs) blocks.forget(ref);
    throw INJECTED;
  };
  const synced = t.notThrowsAsync(async () => vfs.fsync(fh));
  for (let waited = 0; waited < 1000; waited += 100) await clock.advance(100);
  await synced;
  t.is(asked, 1);
});

test("an fsync of another's bytes that no node can make durable fails", async (t) => {
  const writer = await testMount(TINY);
  const ino = await leave(writer, "file");
  const { vfs, blocks, clock } = await another(writer);
  const { fh } = await vfs.open(ROOT_CALLER, ino, 0);
  blocks.onSync = () => Promise.reject(INJECTED);
  const failing = t.throwsAsync(async () => vfs.fsync(fh), { code: "EIO" });
  for (let waited = 0; waited <= PUT_RETRY_TIMEOUT_MS + 1000; waited += 200) {
    await clock.advance(200);
  }
  await failing;
});

test("an fsync through a handle whose file is gone for good fails", async (t) => {
  const { vfs, meta } = await testMount(TINY);
  const { fh } = await createFile(vfs, "file");
  await vfs.unlink(ROOT_CALLER, ROOT_INO, toName("file"));
  await meta.lose();
  await t.throwsAsync(async () => vfs.fsync(fh), { code: "EIO" });
});

test("a client that ends has what it wrote on disk, not what others did", async (t) => {
  const other = await testMount(TINY);
  await leave(other, "others");
  const { vfs, blocks } = await another(other);
  await leave({ ...other, vfs }, "closed");
  const open = await createFile(vfs, "open");
  await vfs.write(open.fh, 0, patternBytes(100, 1), false);
  await vfs.close();
  const own = blocks.puts.slice(2).map(blockName);
  t.is(own.length, 4);
  t.deepEqual(blocks.synced, new Set(own));
});

test("a client that changed nothing asks for nothing when it ends", async (t) => {
  const other = await testMount(TINY);
  const ino = await leave(other, "file");
  const { vfs, meta } = await another(other);
  await vfs.open(ROOT_CALLER, ino, 0);
  await vfs.close();
  t.is(meta.counts.get("syncSession"), undefined);
});

test("a file that replaces another is on disk before: no power cut takes both", async (t) => {
  const mount = await testMount(TINY);
  const { vfs, blocks } = mount;
  const old = patternBytes(100, 1);
  const { fh } = await createFile(vfs, "name");
  await vfs.write(fh, 0, old, false);
  await vfs.fsync(fh);
  await leave(mount, "new", patternBytes(100, 2));
  const rename = () =>
    vfs.rename(ROOT_CALLER, ROOT_INO, toName("new"), ROOT_INO, toName("name"), 0);
  const content = async () => {
    const { ino } = await vfs.lookup(ROOT_CALLER, ROOT_INO, toName("name"));
    return readAll(vfs, (await vfs.open(ROOT_CALLER, ino, 0)).fh);
  };
  blocks.onSync = () => Promise.reject(new FsError("EINVAL", "injected"));
  await t.throwsAsync(rename(), { code: "EINVAL" });
  t.deepEqual(await content(), old);
  blocks.onSync = () => undefined;
  await rename();
  t.is(blocks.synced.size, 4);
  blocks.cut();
  t.deepEqual(await content(), patternBytes(100, 2));
});

test("a rename that replaces nothing waits for no disk", async (t) => {
  const mount = await testMount(TINY);
  await leave(mount, "new");
  const to = toName("other");
  await mount.vfs.rename(ROOT_CALLER, ROOT_INO, toName("new"), ROOT_INO, to, 0);
  t.is(mount.blocks.synced.size, 0);
});

test("a file that replaces another while it is written has its bytes so far", async (t) => {
  const mount = await testMount(TINY);
  const { vfs, blocks } = mount;
  await leave(mount, "name", patternBytes(100, 1));
  const { fh, attr } = await createFile(vfs, "new");
  await vfs.write(fh, 0, patternBytes(100, 2), false);
  await vfs.rename(ROOT_CALLER, ROOT_INO, toName("new"), ROOT_INO, toName("name"), 0);
  blocks.cut();
  const { vfs: later } = await another(mount);
  const opened = await later.open(ROOT_CALLER, attr.ino, 0);
  t.deepEqual(await readAll(later, opened.fh), patternBytes(100, 2));
});
