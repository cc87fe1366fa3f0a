import test from "ava";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import { ROOT_INO, type Name } from "../../domain/ids.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { MemoryVfs } from "../../testing/fuse/fuse-memory-vfs.ts";
import { PathTable } from "./path-table.ts";

function setUp(maxNames = 100) {
  const vfs = new MemoryVfs();
  const clock = new FakeClock();
  const table = new PathTable({
    vfs,
    clock,
    caller: ROOT_CALLER,
    entryTimeoutMs: 1000,
    maxNames,
  });
  const mkdir = (parent: typeof ROOT_INO, name: string) => {
    const { ino } = vfs.mkdir(ROOT_CALLER, parent, name as Name, 0o755);
    vfs.forget(ino, 1);
    return ino;
  };
  const ino = (path: string) => table.resolving((walk) => walk.ino(path));
  return { vfs, clock, table, mkdir, ino };
}

test("a path leads to its inode, and is asked for again when its time is over", async (t) => {
  const { vfs, clock, mkdir, ino } = setUp();
  const a = mkdir(ROOT_INO, "a");
  const b = mkdir(a, "b");
  t.is(await ino("/"), ROOT_INO);
  t.is(await ino("/a/b"), b);
  vfs.rename(ROOT_CALLER, a, "b" as Name, a, "c" as Name, 0);
  const other = mkdir(a, "b");
  t.is(await ino("/a/b"), b, "believed for a second");
  await clock.advance(1001);
  t.is(await ino("/a/b"), other);
  t.is(await ino("/a/c"), b);
});

test("what is below a renamed directory is found at its new path only", async (t) => {
  const { vfs, table, mkdir, ino } = setUp();
  const a = mkdir(ROOT_INO, "a");
  const f = mkdir(a, "f");
  t.is(await ino("/a/f"), f);
  const [from, to] = ["a", "z"].map((name) => ({ parent: ROOT_INO, name: name as Name }));
  if (from === undefined || to === undefined) throw new Error("unreachable");
  await table.changing([from, to], () => {
    vfs.rename(ROOT_CALLER, from.parent, from.name, to.parent, to.name, 0);
  });
  t.is(await ino("/z/f"), f);
  await t.throwsAsync(ino("/a/f"), { code: "ENOENT" });
});

test("an inode that was remembered and is gone is looked up once more", async (t) => {
  const { vfs, table, mkdir, ino } = setUp();
  const old = mkdir(ROOT_INO, "a");
  t.is(await ino("/a"), old);
  vfs.rmdir(ROOT_CALLER, ROOT_INO, "a" as Name);
  const replaced = mkdir(ROOT_INO, "a");
  const tried: number[] = [];
  const found = await table.resolving(async (walk) => {
    const target = await walk.ino("/a");
    tried.push(target);
    if (target === old) throw new FsError("ENOENT", "deleted");
    return target;
  });
  t.is(found, replaced);
  t.deepEqual(tried, [old, replaced]);
});

test("a lookup that a removal overtook is not remembered", async (t) => {
  const { vfs, table, mkdir } = setUp();
  mkdir(ROOT_INO, "a");
  const place = { parent: ROOT_INO, name: "a" as Name };
  const asked = table.lookup(place);
  await table.changing([place], () => vfs.rmdir(ROOT_CALLER, ROOT_INO, place.name));
  await asked;
  t.is(table.recall(place), undefined);
  t.is(vfs.outstandingLookups, 0);
});

test("it holds one lookup a name, at most so many, and gives all of them back", async (t) => {
  const { vfs, table, mkdir, ino } = setUp(3);
  for (const name of ["a", "b", "c", "d", "e"]) {
    mkdir(ROOT_INO, name);
    await ino(`/${name}`);
    await ino(`/${name}`);
  }
  t.is(vfs.outstandingLookups, 3);
  table.clear();
  t.is(vfs.outstandingLookups, 0);
});

test("names too long and the root's are refused", async (t) => {
  const { table, ino } = setUp();
  await t.throwsAsync(ino(`/${"x".repeat(256)}`), { code: "ENAMETOOLONG" });
  await t.throwsAsync(
    table.resolving((walk) => walk.place("/")),
    { code: "EBUSY" },
  );
});
