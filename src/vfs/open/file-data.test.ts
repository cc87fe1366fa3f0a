import test from "ava";
import type { Attr, AttrChanges, Caller } from "../../domain/attributes.ts";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import type { Ino } from "../../domain/ids.ts";
import type { CommitRequest, MetaService } from "../../protocol/meta/meta-service.ts";
import {
  createFile,
  patternBytes,
  readAll,
  testMount,
  TINY_GEOMETRY,
  type TestMount,
} from "../../testing/vfs/vfs-mount.ts";
import { present } from "../../testing/present.ts";

const ann: Caller = { uid: 1000, gid: 1000 };

/** A file with dirty bytes in it. */
async function dirtyFile(mount: TestMount, lengthBytes: number): Promise<{ fh: number; ino: Ino }> {
  const { fh, attr } = await createFile(mount.vfs, "file");
  await mount.vfs.write(fh, 0, patternBytes(lengthBytes), false);
  mount.meta.counts.clear();
  return { fh, ino: attr.ino };
}

function set(
  mount: TestMount,
  ino: Ino,
  changes: AttrChanges,
  caller = ROOT_CALLER,
): Promise<Attr> {
  return mount.vfs.setattr(caller, ino, changes);
}

function countsOf({ meta }: TestMount): Partial<Record<keyof MetaService, number>> {
  return Object.fromEntries(meta.counts);
}

test("times, owner and mode set before the close cost a request each, data included", async (t) => {
  const mount = await testMount();
  const { fh, ino } = await dirtyFile(mount, 4096);
  await set(mount, ino, { mtime: { sec: 1234, nsec: 5 }, atime: { sec: 7, nsec: 0 } });
  await set(mount, ino, { uid: 5, gid: 6, killPrivileges: true });
  const { mode } = await set(mount, ino, { mode: 0o4751 });
  await mount.vfs.flush(fh);
  t.deepEqual(countsOf(mount), { commit: 1, setattr: 2 });
  t.is(mode & 0o7777, 0o4751);
  const other = await testMount(mount);
  t.like(await other.vfs.getattr(ROOT_CALLER, ino), {
    ...{ sizeBytes: 4096, mtimeSec: 1234, mtimeNsec: 5, atimeSec: 7, uid: 5, gid: 6, mode },
  });
});

test("another client sees the attributes together with the data written before them", async (t) => {
  const mount = await testMount({ geometry: TINY_GEOMETRY });
  const other = await testMount(mount);
  const { ino } = await dirtyFile(mount, 200);
  const seen: string[] = [];
  const look = async (): Promise<void> => {
    const { sizeBytes, mode } = await other.meta.getattr(ino);
    seen.push(`${sizeBytes} ${(mode & 0o777).toString(8)}`);
  };
  const puts: (() => void)[] = [];
  mount.blocks.onPut = () => new Promise((resolve) => puts.push(resolve));
  mount.meta.hooks.set("commit", async (go) => {
    await look();
    const reply = await go();
    await look();
    return reply;
  });
  const changed = set(mount, ino, { mode: 0o600 });
  while (puts.length < 4) await new Promise(setImmediate);
  await look();
  for (const put of puts) put();
  t.is((await changed).sizeBytes, 200);
  t.deepEqual(seen, ["0 644", "0 644", "200 600"]);
  t.is(mount.meta.counts.get("setattr"), undefined);
});

test("a write takes set-user-id before the chmod that gives it back, never after", async (t) => {
  const mount = await testMount();
  const { fh, attr } = await createFile(mount.vfs, "file");
  await set(mount, attr.ino, { mode: 0o4755 });
  await mount.vfs.write(fh, 0, patternBytes(10), true);
  t.is((await mount.vfs.getattr(ROOT_CALLER, attr.ino)).mode & 0o7777, 0o755);
  t.is((await set(mount, attr.ino, { mtime: "now" })).mode & 0o7777, 0o755);
  await mount.vfs.write(fh, 0, patternBytes(10), true);
  t.is((await set(mount, attr.ino, { mode: 0o4755 })).mode & 0o7777, 0o4755);
  await mount.vfs.flush(fh);
  t.is((await mount.meta.getattr(attr.ino)).mode & 0o7777, 0o4755);
});

test("who may not change attributes is refused; what was written is committed", async (t) => {
  const mount = await testMount();
  const { fh, ino } = await dirtyFile(mount, 100);
  await t.throwsAsync(set(mount, ino, { mode: 0o777 }, ann), { code: "EPERM" });
  t.deepEqual(countsOf(mount), { commit: 1 });
  t.like(await mount.meta.getattr(ino), { sizeBytes: 100, mode: 0o100644 });
  t.is(mount.vfs.flush(fh), undefined);
  t.deepEqual(await readAll(mount.vfs, fh), patternBytes(100));
});

test("a commit that fails takes no attributes down with it, and is told at close", async (t) => {
  const mount = await testMount();
  const { fh, ino } = await dirtyFile(mount, 100);
  mount.meta.hooks.set("commit", () => Promise.reject(new FsError("ENOSPC", "full")));
  await set(mount, ino, { mode: 0o600 });
  t.deepEqual(countsOf(mount), { commit: 1, setattr: 1 });
  t.like(await mount.meta.getattr(ino), { sizeBytes: 0, mode: 0o100600 });
  await t.throwsAsync(async () => mount.vfs.flush(fh), { code: "ENOSPC" });
});

test("attributes go with the commit that a lost session makes necessary once more", async (t) => {
  const mount = await testMount();
  const { fh, ino } = await dirtyFile(mount, 100);
  const commits: CommitRequest[] = [];
  mount.meta.hooks.set("commit", async (go, [request]) => {
    commits.push(request as CommitRequest);
    if (commits.length === 1) await mount.meta.lose();
    return go();
  });
  await set(mount, ino, { mtime: { sec: 9, nsec: 0 } });
  await mount.vfs.flush(fh);
  t.deepEqual(
    commits.map(({ setattr }) => setattr?.changes),
    [{ mtime: { sec: 9, nsec: 0 } }, { mtime: { sec: 9, nsec: 0 } }],
  );
  t.like(await mount.meta.getattr(ino), { sizeBytes: 100, mtimeSec: 9 });
  t.deepEqual(await readAll(mount.vfs, fh), patternBytes(100));
});

test("attributes wait for all commits: they go with the last one, and an fsync's", async (t) => {
  const mount = await testMount({ geometry: TINY_GEOMETRY });
  const { fh, ino } = await dirtyFile(mount, 1000);
  const commits: CommitRequest[] = [];
  let letGo: () => void = () => undefined;
  mount.meta.hooks.set("commit", async (go, [request]) => {
    commits.push(request as CommitRequest);
    await new Promise<void>((resolve) => (letGo = resolve));
    return go();
  });
  const synced = mount.vfs.fsync(fh);
  const changed = set(mount, ino, { mode: 0o600 });
  const both = { done: false };
  const waited = Promise.all([synced, changed]).finally(() => (both.done = true));
  while (!both.done) {
    await new Promise(setImmediate);
    letGo();
  }
  await waited;
  t.deepEqual(
    commits.map(({ setattr }) => setattr !== undefined),
    commits.map((_, at) => at === commits.length - 1),
  );
  t.true(present(commits.at(-1)).durable);
  t.is(mount.meta.counts.get("setattr"), undefined);
  t.like(await mount.meta.getattr(ino), { sizeBytes: 1000, mode: 0o100600 });
});
