// Names: each dentry leads to an inode and stands once in its directory's order; each inode has as
// many names as it says; each directory has one name, in the directory it says, and hangs on the
// root.
import { isDirectory, isSymlink, S_IFMT } from "../../domain/attributes.ts";
import { ROOT_INO, type Ino, type Name } from "../../domain/ids.ts";
import type { ReadTransaction } from "../engine/engine.ts";
import {
  decodeDentry,
  decodeIndexEntry,
  encodeDentry,
  encodeIndexEntry,
  type Dentry,
} from "../schema/directory.ts";
import { decodeInode, encodeInode, type Inode } from "../schema/inode.ts";
import { firstNumber, keyRanges, keys, nameOfKey, secondNumber } from "../schema/keys.ts";
import { encodeReap } from "../schema/reap.ts";
import { edit, witness, type Edit, type Finding } from "./finding.ts";
import { MAX_DIRECTORY_DEPTH, MAX_ROOTED_DIRECTORIES } from "./limits.ts";
import { tallies } from "./tallies.ts";

export function inodeAt(tx: ReadTransaction, ino: Ino): Inode | undefined {
  const record = tx.get(keys.inode(ino));
  return record === undefined ? undefined : decodeInode(record);
}

function quoted(parent: Ino, name: string): string {
  return `name ${JSON.stringify(name)} in directory ${parent}`;
}

export function* checkDentries(tx: ReadTransaction): Generator<Finding> {
  for (const { key, value } of tx.range(keyRanges.allDentries())) {
    const parent = firstNumber(key) as Ino;
    yield* checkDentry(tx, parent, nameOfKey(key) as Name, decodeDentry(value));
  }
}

function* checkDentry(
  tx: ReadTransaction,
  parent: Ino,
  name: Name,
  dentry: Dentry,
): Generator<Finding> {
  const { ino, type, cookie } = dentry;
  const where = `${quoted(parent, name)} -> ${ino}`;
  const dentryKey = keys.dentry(parent, name);
  const indexKey = keys.dirIndex(parent, cookie);
  const index = tx.get(indexKey);
  const isListed = index !== undefined && matches(decodeIndexEntry(index), name, ino);
  const removal: Edit[] = [
    edit(tx, dentryKey, null),
    ...(isListed ? [edit(tx, indexKey, null)] : []),
  ];
  const inode = inodeAt(tx, ino);
  if (!isDirectory(inodeAt(tx, parent)?.mode ?? 0)) {
    const edits = [...removal, witness(tx, keys.inode(parent))];
    const how = "the name is removed; what it led to is found under /lost+found-…";
    yield { what: `${where}: its directory isn't there`, ino, repair: { how, edits } };
    return;
  }
  if (inode === undefined) {
    // An inode may come back from its content (check-content.ts); the name is for it then.
    if (hasChunks(tx, ino)) return;
    const edits = [...removal, witness(tx, keys.inode(ino))];
    const what = `${where}: there is no such inode, and nothing of its content`;
    yield { what, ino: parent, repair: { how: "the name is removed", edits } };
    return;
  }
  if (inode.mode >>> 12 !== type >>> 12) {
    const right = { ...dentry, type: inode.mode & S_IFMT };
    const entry = encodeIndexEntry({ ino, type: right.type, name });
    const edits = [edit(tx, dentryKey, encodeDentry(right)), edit(tx, indexKey, entry)];
    const how = "the inode's type is written beside the name";
    yield { what: `${where}: the inode is of another type`, ino, repair: { how, edits } };
  } else if (
    index === undefined ||
    !isListed ||
    decodeIndexEntry(index).type >>> 12 !== type >>> 12
  ) {
    const edits = [
      witness(tx, dentryKey),
      edit(tx, indexKey, encodeIndexEntry({ ino, type, name })),
    ];
    const how = "it is listed again";
    yield { what: `${where}: listings don't show it`, ino, repair: { how, edits } };
  }
  if (isDirectory(inode.mode) && inode.parent !== parent)
    yield checkParent(tx, parent, name, inode);
}

function matches(entry: { name: string; ino: Ino }, name: string, ino: Ino): boolean {
  return entry.name === name && entry.ino === ino;
}

/** A directory that says it is in another one: that one's entry counts, if there is one. */
function checkParent(tx: ReadTransaction, parent: Ino, name: Name, inode: Inode): Finding {
  const { ino } = inode;
  const where = `${quoted(parent, name)} -> ${ino}`;
  const what = `${where}: the directory says that it is in ${inode.parent}`;
  const inodeKey = keys.inode(ino);
  const other = entryOf(tx, inode.parent, ino);
  if (other === undefined) {
    const edits = [
      witness(tx, keys.dentry(parent, name)),
      edit(tx, inodeKey, encodeInode({ ...inode, parent })),
    ];
    return { what, ino, repair: { how: `it is in ${parent} from now on`, edits } };
  }
  const dentry = decodeDentry(tx.get(keys.dentry(parent, name)) ?? new Uint8Array());
  const edits = [
    witness(tx, inodeKey),
    witness(tx, keys.dentry(inode.parent, other)),
    edit(tx, keys.dentry(parent, name), null),
    edit(tx, keys.dirIndex(parent, dentry.cookie), null),
  ];
  return { what, ino, repair: { how: `its second name is removed; the other stays`, edits } };
}

/** A name of `ino` in `parent`, by the listing. */
function entryOf(tx: ReadTransaction, parent: Ino, ino: Ino): Name | undefined {
  for (const { value } of tx.range(keyRanges.dirIndexAfter(parent, -1))) {
    const entry = decodeIndexEntry(value);
    if (entry.ino === ino && tx.get(keys.dentry(parent, entry.name)) !== undefined) {
      return entry.name;
    }
  }
  return undefined;
}

function hasChunks(tx: ReadTransaction, data: number): boolean {
  const [first] = tx.range({ ...keyRanges.chunks(data), limit: 1 });
  return first !== undefined;
}

export function* checkListings(tx: ReadTransaction): Generator<Finding> {
  for (const { key, value } of tx.range(keyRanges.allDirIndexes())) {
    const parent = firstNumber(key) as Ino;
    const cookie = secondNumber(key);
    const { name } = decodeIndexEntry(value);
    const dentryKey = keys.dentry(parent, name);
    const dentry = tx.get(dentryKey);
    // One that differs in ino or type is told, and mended, where the dentry is looked at.
    if (dentry !== undefined && decodeDentry(dentry).cookie === cookie) continue;
    const what = `${quoted(parent, name)} is listed at ${cookie}, but isn't there`;
    const edits = [witness(tx, dentryKey), edit(tx, key, null)];
    yield { what, ino: parent, repair: { how: "it is no longer listed", edits } };
  }
}

interface Names {
  names: number;
  subdirectories: number;
}

export function* checkLinks(tx: ReadTransaction, tallied?: number): Generator<Finding> {
  const fresh = (): Names => ({ names: 0, subdirectories: 0 });
  for (const counts of tallies(tx, keyRanges.inodes(), fresh, tallied)) {
    for (const { key, value } of tx.range(keyRanges.allDentries())) {
      const { ino, type } = decodeDentry(value);
      const child = counts.get(ino);
      if (child !== undefined) child.names += 1;
      const parent = counts.get(firstNumber(key));
      if (parent === undefined || !isDirectory(type)) continue;
      if (tx.get(keys.inode(ino)) !== undefined) parent.subdirectories += 1;
    }
    for (const [ino, names] of counts) yield* checkInode(tx, ino as Ino, names);
  }
  for (const { key } of tx.range(keyRanges.symlinks())) {
    if (isSymlink(inodeAt(tx, firstNumber(key) as Ino)?.mode ?? 0)) continue;
    const edits = [witness(tx, keys.inode(firstNumber(key) as Ino)), edit(tx, key, null)];
    const what = `a target is kept for ${firstNumber(key)}, which is no symlink`;
    yield { what, repair: { how: "the target is removed", edits } };
  }
}

function* checkInode(tx: ReadTransaction, number: Ino, counted: Names): Generator<Finding> {
  const inode = inodeAt(tx, number);
  if (inode === undefined) return;
  const { ino, mode, nlink, opens } = inode;
  const names = ino === ROOT_INO ? 1 : counted.names;
  if (ino !== number) yield { what: `inode ${number} says that it is ${ino}`, ino: number };
  if (isSymlink(mode) && tx.get(keys.symlink(ino)) === undefined) {
    yield { what: `symlink ${ino}: what it leads to is not known any more`, ino };
  }
  if (names === 0 && opens === 0) {
    yield nlink === 0 ? reaped(tx, inode) : attached(tx, inode);
    return;
  }
  const expected = isDirectory(mode) ? 2 + counted.subdirectories : names;
  if (nlink !== expected && !(names === 0 && isDirectory(mode))) {
    const edits = [edit(tx, keys.inode(ino), encodeInode({ ...inode, nlink: expected }))];
    const what = `inode ${ino}: its link count is ${nlink}, and should be ${expected}`;
    yield { what, ino, repair: { how: `it is set to ${expected}`, edits } };
  }
  if (isDirectory(mode) && names > 1) yield { what: `directory ${ino} has ${names} names`, ino };
}

/** Its last name went: so goes the inode. */
function reaped(tx: ReadTransaction, inode: Inode): Finding {
  const { ino, data, allocatedBytes } = inode;
  const edits = [
    edit(tx, keys.inode(ino), null),
    edit(tx, keys.reap(data), encodeReap({ xattrsOf: ino })),
  ];
  const what = `inode ${ino} was deleted, and is still there`;
  const usage = { inodes: -1, bytes: -allocatedBytes };
  return { what, ino, repair: { how: "its deletion is ended", edits, usage } };
}

/** Nothing says that it was deleted: it gets a name where the administrator sees it. */
function attached(tx: ReadTransaction, inode: Inode): Finding {
  const { ino, mode } = inode;
  const name = `lost+found-${ino}` as Name;
  const type = mode & S_IFMT;
  const dir = isDirectory(mode);
  const changed = dir ? { ...inode, parent: ROOT_INO } : { ...inode, nlink: 1 };
  const edits = [
    edit(tx, keys.inode(ino), encodeInode(changed)),
    edit(tx, keys.dentry(ROOT_INO, name), encodeDentry({ ino, type, cookie: ino })),
    edit(tx, keys.dirIndex(ROOT_INO, ino), encodeIndexEntry({ ino, type, name })),
  ];
  const what = `inode ${ino} has no name, though nothing deleted it`;
  return { what, ino, repair: { how: `it is found as /${name}`, edits } };
}

/** Directories that are in one another, and so nowhere. */
export function* checkRooted(tx: ReadTransaction): Generator<Finding> {
  const rooted = new Set<Ino>([ROOT_INO]);
  for (const { value } of tx.range(keyRanges.inodes())) {
    const directory = decodeInode(value);
    if (!isDirectory(directory.mode)) continue;
    const way = new Set<Ino>();
    let at: Ino | undefined = directory.ino;
    while (at !== undefined && !rooted.has(at) && !way.has(at) && way.size < MAX_DIRECTORY_DEPTH) {
      way.add(at);
      at = inodeAt(tx, at)?.parent;
    }
    if (rooted.size > MAX_ROOTED_DIRECTORIES) rooted.clear();
    rooted.add(ROOT_INO);
    if (at !== undefined && way.has(at)) yield loop(tx, directory.ino, at);
    // Told once: those of a loop, and below, count as found.
    for (const ino of way) rooted.add(ino);
  }
}

function loop(tx: ReadTransaction, from: Ino, ino: Ino): Finding {
  const what = `directory ${from} is below ${ino}, which is below itself, not below the root`;
  const inode = inodeAt(tx, ino);
  const name = inode === undefined ? undefined : entryOf(tx, inode.parent, ino);
  if (inode === undefined || name === undefined) return { what, ino };
  const dentryKey = keys.dentry(inode.parent, name);
  const { cookie } = decodeDentry(tx.get(dentryKey) ?? new Uint8Array());
  const edits = [
    ...(attached(tx, inode).repair?.edits ?? []),
    edit(tx, dentryKey, null),
    edit(tx, keys.dirIndex(inode.parent, cookie), null),
  ];
  return { what, ino, repair: { how: `it is found as /lost+found-${ino}`, edits } };
}
