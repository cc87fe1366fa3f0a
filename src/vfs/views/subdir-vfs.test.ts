import test from "ava";
import { ROOT_CALLER, S_IFREG } from "../../domain/attributes.ts";
import { ROOT_INO, type Ino, type Name } from "../../domain/ids.ts";
import { MemoryVfs } from "../../testing/fuse/fuse-memory-vfs.ts";
import { openSubdir } from "./subdir-vfs.ts";
import { O_RDWR } from "../vfs.ts";

const caller = ROOT_CALLER;
const name = (text: string): Name => text as Name;

/** /a/b/inside and /outside. */
function setUp() {
  const memory = new MemoryVfs();
  const a = memory.mkdir(caller, ROOT_INO, name("a"), 0o755).ino;
  const b = memory.mkdir(caller, a, name("b"), 0o755).ino;
  memory.mknod(caller, b, name("inside"), S_IFREG | 0o644, 0);
  memory.mknod(caller, ROOT_INO, name("outside"), S_IFREG | 0o644, 0);
  return { memory, a, b };
}

test("the directory is the root: its number is 1 wherever it is told of", async (t) => {
  const { memory, b } = setUp();
  const vfs = await openSubdir(memory, caller, "/a//b/");
  t.is((await vfs.getattr(caller, ROOT_INO)).ino, ROOT_INO);
  t.not(b, ROOT_INO);
  const inside = await vfs.lookup(caller, ROOT_INO, name("inside"));
  t.is(inside.ino, memory.lookup(caller, b, name("inside")).ino);
  await t.throwsAsync(async () => vfs.lookup(caller, ROOT_INO, name("outside")), {
    code: "ENOENT",
  });
  const { ino } = await vfs.mkdir(caller, ROOT_INO, name("sub"), 0o755);
  t.is((await vfs.setattr(caller, ROOT_INO, { mode: 0o700 })).ino, ROOT_INO);
  await vfs.rename(caller, ROOT_INO, name("inside"), ino, name("moved"), 0);
  t.is(memory.lookup(caller, ino, name("moved")).ino, inside.ino);
});

test("no listing tells of anything above: .. of the root is the root", async (t) => {
  const { memory } = setUp();
  const vfs = await openSubdir(memory, caller, "a/b");
  const { ino } = await vfs.mkdir(caller, ROOT_INO, name("sub"), 0o755);
  for (const [directory, up, self] of [
    [ROOT_INO, ROOT_INO, ROOT_INO],
    [ino, ROOT_INO, ino],
  ] as const) {
    const fh = await vfs.opendir(caller, directory);
    const entries = await vfs.readdir(fh, 0, true);
    const numbers = new Map<string, Ino>(entries.map((entry) => [entry.name, entry.ino]));
    t.is(numbers.get(".."), up);
    t.is(numbers.get("."), self);
    vfs.releasedir(fh);
  }
});

test("files are opened, written and read through it, and references are given back", async (t) => {
  const { memory } = setUp();
  const before = memory.outstandingLookups;
  const vfs = await openSubdir(memory, caller, "a/b");
  const { fh, attr } = await vfs.create(caller, ROOT_INO, name("f"), 0o644, O_RDWR);
  t.is(await vfs.write(fh, 0, Buffer.from("text"), false), 4);
  t.deepEqual(Buffer.concat(await vfs.read(fh, 0, 9)).toString(), "text");
  await vfs.release(fh);
  vfs.forget(attr.ino, 1);
  vfs.forget(ROOT_INO, 1);
  await vfs.close();
  t.is(memory.outstandingLookups, before);
});

test("the root itself needs no wrapper; what isn't a directory is refused by name", async (t) => {
  const { memory } = setUp();
  t.is(await openSubdir(memory, caller, "/"), memory);
  await t.throwsAsync(openSubdir(memory, caller, "a/none/x"), {
    code: "ENOENT",
    message: /\/a\/none/,
  });
  await t.throwsAsync(openSubdir(memory, caller, "outside"), {
    code: "ENOTDIR",
    message: /\/outside/,
  });
  await t.throwsAsync(openSubdir(memory, caller, "a/../outside"), { code: "EINVAL" });
});
