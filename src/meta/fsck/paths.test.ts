import test from "ava";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { ROOT_INO, type Ino, type Name } from "../../domain/ids.ts";
import { TestNamespace } from "../../testing/engine/engine-namespace.ts";
import { present } from "../../testing/present.ts";
import type { ReadTransaction } from "../engine/engine.ts";
import { MemoryEngine } from "../engine/memory-engine.ts";
import { decodeInode, encodeInode } from "../schema/inode.ts";
import { keys } from "../schema/keys.ts";
import { pathsOf } from "./paths.ts";

/** Counts the records that are walked over. */
function counting(tx: ReadTransaction): { tx: ReadTransaction; walked: () => number } {
  let walked = 0;
  const range: ReadTransaction["range"] = function* (options) {
    for (const entry of tx.range(options)) {
      walked += 1;
      yield entry;
    }
  };
  return { tx: { get: (key) => tx.get(key), range }, walked: () => walked };
}

test("paths of many inodes are found in one walk, and one over each directory above", async (t) => {
  const fs = await TestNamespace.on(new MemoryEngine());
  const wide = (await fs.directory("wide")).ino;
  const inos = new Set<Ino>([ROOT_INO, wide]);
  for (let at = 0; at < 100; at += 1) {
    const parent = (await fs.directory(`d${at}`, { parent: wide })).ino;
    inos.add((await fs.file("file", { parent })).ino);
  }
  await fs.see((_ns, tx) => {
    const counted = counting(tx);
    const paths = pathsOf(counted.tx, inos);
    t.is(paths.size, inos.size);
    t.is(paths.get(ROOT_INO), "/");
    t.is(paths.get(wide), "/wide");
    t.is(paths.get(present([...inos].at(-1))), "/wide/d99/file");
    t.true(counted.walked() < 500, `${counted.walked()} records`);
  });
});

test("a path is by a name that hangs on the root; what hangs on a loop has none", async (t) => {
  const fs = await TestNamespace.on(new MemoryEngine());
  const dir = (await fs.directory("dir")).ino;
  const sub = (await fs.directory("sub", { parent: dir })).ino;
  const { ino } = await fs.file("one", { parent: dir });
  const other = (await fs.directory("other")).ino;
  await fs.do((ns, tx) => ns.link(tx, ROOT_CALLER, ino, other, "two" as Name));
  await fs.engine.transact((tx) => {
    const inode = decodeInode(present(tx.get(keys.inode(dir))));
    tx.put(keys.inode(dir), encodeInode({ ...inode, parent: sub }));
  });
  const paths = await fs.see((_ns, tx) => pathsOf(tx, new Set([ino, sub])));
  t.deepEqual([...paths], [[ino, "/other/two"]]);
});
