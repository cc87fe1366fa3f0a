import test from "ava";
import { ROOT_CALLER, S_IFDIR, S_IFREG } from "../../domain/attributes.ts";
import {
  DEFAULT_POOL,
  ROOT_INO,
  type Ino,
  type Name,
  type SessionId,
  type SliceId,
} from "../../domain/ids.ts";
import { present } from "../../testing/present.ts";
import { TestNamespace } from "../../testing/engine/engine-namespace.ts";
import { addCopyPart, beginCopy, finishCopy } from "../copies/copy-records.ts";
import { MemoryEngine } from "../engine/memory-engine.ts";
import type { Transaction } from "../engine/engine.ts";
import { bury, nextDeath, oldestDeath } from "../namespace/tombstones.ts";
import { usageOf } from "../namespace/inodes.ts";
import { decodeDentry, encodeDentry, encodeIndexEntry } from "../schema/directory.ts";
import { decodeInode, encodeInode, type Inode } from "../schema/inode.ts";
import { keyRanges, keys } from "../schema/keys.ts";
import { encodeOpenCount } from "../schema/open-count.ts";
import { encodeReap } from "../schema/reap.ts";
import { decodeSlice, encodeSlice } from "../schema/slice.ts";
import { encodeTotals } from "../schema/totals.ts";
import { checkLinks } from "./check-names.ts";
import { checkSlices } from "./check-slices.ts";
import { checkStore } from "./check-store.ts";
import { applyRepair, edit, type Finding } from "./finding.ts";
import { pathsOf } from "./paths.ts";

const n = (name: string): Name => name as Name;

/** /dir (with /dir/sub and the symlink /dir/link), /file with two extents, and /open, which is. */
interface World {
  fs: TestNamespace;
  dir: Ino;
  sub: Ino;
  link: Ino;
  file: Ino;
  open: Ino;
}

async function world(): Promise<World> {
  const fs = await TestNamespace.on(new MemoryEngine());
  const dir = (await fs.directory("dir")).ino;
  const sub = (await fs.directory("sub", { parent: dir })).ino;
  const link = await fs.do((ns, tx) => ns.symlink(tx, ROOT_CALLER, dir, n("link"), "../file"));
  const file = (await fs.file("file")).ino;
  const open = (await fs.create("open")).attr.ino;
  await fs.commit(file, [fs.extent(0, 100, Buffer.alloc(100)), fs.extent(4096, 70_000)]);
  await fs.commit(open, [fs.extent(0, 1_000_000)]);
  await fs.do((ns, tx) => ns.setxattr(tx, ROOT_CALLER, file, n("user.a"), Buffer.of(1), 0));
  return { fs, dir, sub, link: link.ino, file, open };
}

function changeInode(tx: Transaction, ino: Ino, changes: Partial<Inode>): void {
  const inode = decodeInode(present(tx.get(keys.inode(ino))));
  tx.put(keys.inode(ino), encodeInode({ ...inode, ...changes }));
}

function slicesOf(tx: Transaction): SliceId[] {
  return [...tx.range(keyRanges.allSlices())].map(({ key }) => Number(`0x${hex(key)}`) as SliceId);
}

function hex(key: Uint8Array): string {
  return Buffer.from(key).toString("hex").slice(2);
}

async function findings({ fs }: World): Promise<Finding[]> {
  return fs.see((_ns, tx) => [...checkStore(tx)]);
}

/** Repairs until nothing is found, as fsck does. Returns the rounds it took. */
async function repairAll(w: World): Promise<number> {
  for (let round = 0; round < 8; round += 1) {
    const found = await findings(w);
    if (found.length === 0) return round;
    for (const { repair } of found) {
      if (repair !== undefined) await w.fs.engine.transact((tx) => applyRepair(tx, repair));
    }
  }
  return Infinity;
}

type Damage = (tx: Transaction, w: World) => void;

/** What is done to a sound store, what fsck says of it, and what must be so after its repair. */
const DAMAGES: readonly [
  name: string,
  damage: Damage,
  told: RegExp,
  after?: (tx: Transaction, w: World) => boolean,
][] = [
  [
    "an inode is gone, its content isn't",
    (tx, { file }) => tx.delete(keys.inode(file)),
    /is nobody's/,
    (tx, { file }) => decodeInode(present(tx.get(keys.inode(file)))).sizeBytes === 4096 + 70_000,
  ],
  [
    "an inode is gone, and had no content",
    (tx, { link }) => tx.delete(keys.inode(link)),
    /there is no such inode/,
    (tx, { dir }) => tx.get(keys.dentry(dir, n("link"))) === undefined,
  ],
  [
    "a name is gone",
    (tx) => {
      const { cookie } = decodeDentry(present(tx.get(keys.dentry(ROOT_INO, n("file")))));
      tx.delete(keys.dentry(ROOT_INO, n("file")));
      tx.delete(keys.dirIndex(ROOT_INO, cookie));
    },
    /has no name, though nothing deleted it/,
    (tx, { file }) => tx.get(keys.dentry(ROOT_INO, n(`lost+found-${file}`))) !== undefined,
  ],
  [
    "a directory's name is gone: what is below it is kept",
    (tx) => {
      const { cookie } = decodeDentry(present(tx.get(keys.dentry(ROOT_INO, n("dir")))));
      tx.delete(keys.dentry(ROOT_INO, n("dir")));
      tx.delete(keys.dirIndex(ROOT_INO, cookie));
    },
    /has no name/,
    (tx, { dir, sub }) => pathsOf(tx, new Set([sub])).get(sub) === `/lost+found-${dir}/sub`,
  ],
  [
    "a directory's inode is gone: what was in it is kept",
    (tx, { dir }) => tx.delete(keys.inode(dir)),
    /its directory isn't there/,
    (tx, { sub }) => pathsOf(tx, new Set([sub])).get(sub) === `/lost+found-${sub}`,
  ],
  [
    "a name isn't listed",
    (tx) => {
      const { cookie } = decodeDentry(present(tx.get(keys.dentry(ROOT_INO, n("file")))));
      tx.delete(keys.dirIndex(ROOT_INO, cookie));
    },
    /listings don't show it/,
  ],
  [
    "a name is listed that isn't there",
    (tx, { file }) => {
      const entry = { ino: file, type: S_IFREG, name: n("ghost") };
      tx.put(keys.dirIndex(ROOT_INO, 999_999), encodeIndexEntry(entry));
    },
    /is listed at 999999, but isn't there/,
  ],
  [
    "a name says that its inode is of another type",
    (tx) => {
      const key = keys.dentry(ROOT_INO, n("file"));
      const dentry = decodeDentry(present(tx.get(key)));
      tx.put(key, encodeDentry({ ...dentry, type: S_IFDIR }));
    },
    /of another type/,
  ],
  ["a link count is wrong", (tx, { file }) => changeInode(tx, file, { nlink: 5 }), /is 5, and/],
  [
    "a directory's link count is wrong",
    (tx, { dir }) => changeInode(tx, dir, { nlink: 2 }),
    /is 2, and should be 3/,
  ],
  [
    "a directory says that it is elsewhere",
    (tx, { sub }) => changeInode(tx, sub, { parent: ROOT_INO }),
    /says that it is in 1/,
  ],
  [
    "two directories are in one another",
    (tx, { dir, sub }) => {
      const { cookie, type } = decodeDentry(present(tx.get(keys.dentry(ROOT_INO, n("dir")))));
      tx.delete(keys.dentry(ROOT_INO, n("dir")));
      tx.delete(keys.dirIndex(ROOT_INO, cookie));
      tx.put(keys.dentry(sub, n("dir")), encodeDentry({ ino: dir, type, cookie }));
      tx.put(keys.dirIndex(sub, cookie), encodeIndexEntry({ ino: dir, type, name: n("dir") }));
      changeInode(tx, dir, { parent: sub });
      changeInode(tx, sub, { nlink: 3 });
      changeInode(tx, ROOT_INO, { nlink: 2 });
    },
    /below itself/,
  ],
  [
    "a deleted inode is still there",
    (tx, { file }) => {
      const { cookie } = decodeDentry(present(tx.get(keys.dentry(ROOT_INO, n("file")))));
      tx.delete(keys.dentry(ROOT_INO, n("file")));
      tx.delete(keys.dirIndex(ROOT_INO, cookie));
      changeInode(tx, file, { nlink: 0 });
    },
    /was deleted, and is still there/,
    (tx, { file }) => tx.get(keys.inode(file)) === undefined,
  ],
  [
    "a target is left of a symlink",
    (tx, { file }) => tx.put(keys.symlink(file), Buffer.from("x")),
    /which is no symlink/,
  ],
  [
    "a dead session holds a file open",
    (tx, { file }) => {
      tx.put(keys.sessionOpen(999 as SessionId, file), encodeOpenCount(3));
      changeInode(tx, file, { opens: 3 });
    },
    /session 999/,
    (tx, { file }) => decodeInode(present(tx.get(keys.inode(file)))).opens === 0,
  ],
  ["an open count is wrong", (tx, { open }) => changeInode(tx, open, { opens: 9 }), /open 9 times/],
  [
    "a slice counts too many references",
    (tx) => {
      const [slice] = slicesOf(tx);
      const key = keys.slice(present(slice));
      tx.put(key, encodeSlice({ ...decodeSlice(present(tx.get(key))), references: 7 }));
    },
    /7 references, cited 1 times/,
  ],
  [
    "nothing cites a slice",
    (tx) => {
      const record = { references: 1, pool: 1 as Inode["pool"], storedBytes: 5000 };
      tx.put(keys.slice(777 as SliceId), encodeSlice(record));
    },
    /nothing cites it/,
    (tx) => tx.get(keys.tombstone(777 as SliceId)) !== undefined,
  ],
  [
    "a slice lives and is dead",
    (tx) => bury(tx, { slice: present(slicesOf(tx)[1]), pool: DEFAULT_POOL, storedBytes: 5 }),
    /lives and is dead/,
    (tx) => nextDeath(tx) === 2 && oldestDeath(tx) === 2,
  ],
  [
    "gc wouldn't find a dead slice",
    (tx) => {
      bury(tx, { slice: 777 as SliceId, pool: DEFAULT_POOL, storedBytes: 5 });
      tx.delete(keys.death(1));
    },
    /gc wouldn't find it/,
    (tx) => oldestDeath(tx) === 1,
  ],
  [
    "a death has no tombstone",
    (tx) => {
      bury(tx, { slice: 777 as SliceId, pool: DEFAULT_POOL, storedBytes: 5 });
      tx.delete(keys.tombstone(777 as SliceId));
    },
    /has no tombstone/,
  ],
  [
    "allocated bytes are wrong",
    (tx, { file }) => changeInode(tx, file, { allocatedBytes: 1 }),
    /1 bytes allocated, not 70100/,
  ],
  [
    "content goes on behind the file's end",
    (tx, { file }) => changeInode(tx, file, { sizeBytes: 50 }),
    /goes on behind its end/,
    (tx, { file }) => decodeInode(present(tx.get(keys.inode(file)))).sizeBytes === 4096 + 70_000,
  ],
  [
    "content is used, and waits for deletion",
    (tx, { file }) => tx.put(keys.reap(file), encodeReap({ xattrsOf: undefined })),
    /used and waits for deletion/,
  ],
  [
    "fsync wouldn't find a slice that may not be on disk",
    (tx, { open }) => {
      const [{ key } = present(undefined)] = tx.range(keyRanges.unsettledOf(open, -1 as SliceId));
      tx.delete(key);
    },
    /fsync wouldn't find it/,
  ],
  [
    "fsync wouldn't look for what may not be on disk",
    (tx, { open }) => changeInode(tx, open, { marked: false }),
    /fsync wouldn't look/,
  ],
  [
    "an extended attribute is left of an inode",
    (tx) => tx.put(keys.xattr(888 as Ino, "user.b"), Buffer.of(1)),
    /extended attribute of inode 888/,
  ],
  [
    "the size of an xattr listing is wrong",
    (tx, { file }) => changeInode(tx, file, { xattrListBytes: 3 }),
    /xattr list bytes 3/,
  ],
  [
    "the totals are wrong",
    (tx) => tx.put(keys.counter("namespace"), encodeTotals({ inodes: 3, bytes: 1 })),
    /the totals say 3 inodes/,
    (tx) => usageOf(tx).inodes === 6,
  ],
];

test("a sound store has no findings, with copies of itself on the nodes either", async (t) => {
  const w = await world();
  t.deepEqual(await findings(w), []);
  const copy = await w.fs.engine.transact((tx) => addCopyPart(tx, beginCopy(tx, 0)));
  t.deepEqual(await findings(w), []);
  await w.fs.engine.transact((tx) => finishCopy(tx, copy, 5000));
  t.deepEqual(await findings(w), []);
});

for (const [name, damage, told, after] of DAMAGES) {
  test(`found and repaired: ${name}`, async (t) => {
    const w = await world();
    await w.fs.engine.transact((tx) => damage(tx, w));
    const found = await findings(w);
    t.true(
      found.some(({ what }) => told.test(what)),
      found.map(({ what }) => what).join("\n"),
    );
    const rounds = await repairAll(w);
    t.true(rounds > 0 && rounds < 6, `${rounds} rounds`);
    if (after !== undefined) t.true(await w.fs.engine.transact((tx) => after(tx, w)));
  });
}

test("what nothing is left of is told, and not repaired", async (t) => {
  const w = await world();
  await w.fs.engine.transact((tx) => {
    tx.delete(keys.slice(present(slicesOf(tx)[1])));
    tx.delete(keys.symlink(w.link));
  });
  const found = await findings(w);
  t.deepEqual(
    found.map(({ repair }) => repair),
    [undefined, undefined],
  );
  t.deepEqual(
    found.map(({ ino }) => ino),
    [w.link, w.file],
  );
});

test("a repair is passed over when a record is no longer as the check saw it", async (t) => {
  const w = await world();
  await w.fs.engine.transact((tx) => changeInode(tx, w.file, { nlink: 5 }));
  const [finding] = await findings(w);
  await w.fs.engine.transact((tx) => changeInode(tx, w.file, { nlink: 6 }));
  const repair = present(present(finding).repair);
  t.false(await w.fs.engine.transact((tx) => applyRepair(tx, repair)));
  await w.fs.engine.transact((tx) => changeInode(tx, w.file, { nlink: 5 }));
  t.true(await w.fs.engine.transact((tx) => applyRepair(tx, repair)));
  t.deepEqual(await findings(w), []);
});

test("a repair can't touch users, maps or sessions", async (t) => {
  const w = await world();
  const edits = await w.fs.see((_ns, tx) => [edit(tx, keys.user("mallory"), Buffer.of(1))]);
  const repair = w.fs.engine.transact((tx) => applyRepair(tx, { how: "as an admin", edits }));
  await t.throwsAsync(repair, { code: "EINVAL" });
});

test("counts are kept for few records at a time, with the same findings", async (t) => {
  const w = await world();
  await w.fs.engine.transact((tx) => {
    changeInode(tx, w.file, { nlink: 5 });
    changeInode(tx, w.dir, { nlink: 9 });
    const key = keys.slice(present(slicesOf(tx)[2]));
    tx.put(key, encodeSlice({ ...decodeSlice(present(tx.get(key))), references: 7 }));
  });
  const all = await w.fs.see((_ns, tx) => [...checkLinks(tx), ...checkSlices(tx)]);
  t.is(all.length, 3);
  for (const limit of [1, 2, 3]) {
    const few = await w.fs.see((_ns, tx) => [...checkLinks(tx, limit), ...checkSlices(tx, limit)]);
    t.deepEqual(few, all);
  }
});
