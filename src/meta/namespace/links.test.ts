// Many links to one inode, and the most there can be.
import test from "ava";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { ROOT_INO, type Name } from "../../domain/ids.ts";
import { MAX_LINKS } from "../../domain/limits.ts";
import { TestNamespace } from "../../testing/engine/engine-namespace.ts";
import { MemoryEngine } from "../engine/memory-engine.ts";
import { loadInode, saveInode } from "./inodes.ts";

const n = (name: string): Name => name as Name;

test("an inode has so many links and no more, and takes another when one went", async (t) => {
  await using fs = await TestNamespace.on(new MemoryEngine());
  const { ino } = await fs.file("f");
  const subject = await fs.directory("d");
  for (const [inode, nlink] of [
    [ino, MAX_LINKS - 1],
    [subject.ino, MAX_LINKS],
  ] as const) {
    await fs.do((_ns, tx) => saveInode(tx, { ...loadInode(tx, inode), nlink }));
  }
  const link = (name: string): Promise<string> =>
    fs.errno((ns, tx) => ns.link(tx, ROOT_CALLER, ino, ROOT_INO, n(name)));
  t.is(await link("last"), "ok");
  t.is(await link("beyond"), "EMLINK");
  await fs.do((ns, tx) => ns.unlink(tx, ROOT_CALLER, ROOT_INO, n("last")));
  t.is(await link("again"), "ok");
  const attr = await fs.see((ns, tx) => ns.getattr(tx, ino));
  t.is(attr.nlink, MAX_LINKS);
  const below = await fs.errno((ns, tx) => ns.mkdir(tx, ROOT_CALLER, subject.ino, n("x"), 0o755));
  t.is(below, "EMLINK");
  const file = await fs.errno((ns, tx) =>
    ns.mknod(tx, ROOT_CALLER, subject.ino, n("y"), { mode: 0o644 }),
  );
  t.is(file, "ok");
});
