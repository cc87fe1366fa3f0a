// Inodes and the namespace's totals in the store: load, save, make. No permissions, no dentries.
import { isDirectory, S_IFDIR, type Caller, type Timespec } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import { inheritanceOf } from "../../domain/inheritance.ts";
import { invariant } from "../../domain/invariant.ts";
import { DEFAULT_POOL, ROOT_INO, type Ino } from "../../domain/ids.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import { decodeInode, encodeInode, type Inode } from "../schema/inode.ts";
import { keyRanges, keys } from "../schema/keys.ts";
import { decodeTotals, encodeTotals, type Totals } from "../schema/totals.ts";
import type { NumberSource } from "./number-ranges.ts";
import { defaultAclOf, loadAccessAcl, storeInherited } from "./inode-acl.ts";

const TOTALS_KEY = keys.counter("namespace");
/** What a directory's st_size says, as ext4's smallest. */
const DIRECTORY_SIZE_BYTES = 4096;

/** @throws FsError ENOENT */
export function loadInode(tx: ReadTransaction, ino: Ino): Inode {
  const record = tx.get(keys.inode(ino));
  if (record === undefined) throw new FsError("ENOENT", `no inode ${ino}`);
  const inode = decodeInode(record);
  if (inode.acls !== 0) loadAccessAcl(tx, inode);
  return inode;
}

/** @throws FsError ENOENT, ENOTDIR */
export function loadDirectory(tx: ReadTransaction, ino: Ino): Inode {
  const inode = loadInode(tx, ino);
  if (!isDirectory(inode.mode)) throw new FsError("ENOTDIR", `inode ${ino} is not a directory`);
  return inode;
}

export function saveInode(tx: Transaction, inode: Inode): void {
  tx.put(keys.inode(inode.ino), encodeInode(inode));
}

function loadTotals(tx: ReadTransaction): Totals {
  const record = tx.get(TOTALS_KEY);
  invariant(record !== undefined, "the metadata store was formatted before it is used");
  return decodeTotals(record);
}

function saveTotals(tx: Transaction, totals: Totals): void {
  tx.put(TOTALS_KEY, encodeTotals(totals));
}

/** Makes the root directory and the totals, once. */
export function formatNamespace(tx: Transaction, { sec, nsec }: Timespec): void {
  if (tx.get(TOTALS_KEY) !== undefined) return;
  saveTotals(tx, { inodes: 1, bytes: 0 });
  saveInode(tx, {
    ino: ROOT_INO,
    mode: S_IFDIR | 0o755,
    nlink: 2,
    uid: 0,
    gid: 0,
    rdev: 0,
    sizeBytes: DIRECTORY_SIZE_BYTES,
    allocatedBytes: 0,
    atimeSec: sec,
    atimeNsec: nsec,
    mtimeSec: sec,
    mtimeNsec: nsec,
    ctimeSec: sec,
    ctimeNsec: nsec,
    parent: ROOT_INO,
    data: ROOT_INO,
    pool: DEFAULT_POOL,
    opens: 0,
    xattrListBytes: 0,
    marked: false,
    acls: 0,
  });
}

/** Inodes, and bytes of file content that they map. */
export function usageOf(tx: ReadTransaction): { inodes: number; bytes: number } {
  const { inodes, bytes } = loadTotals(tx);
  return { inodes, bytes };
}

/** Changes the running usage figures. */
export function adjustUsage(tx: Transaction, inodes: number, bytes: number): void {
  if (inodes === 0 && bytes === 0) return;
  const totals = loadTotals(tx);
  totals.inodes += inodes;
  totals.bytes += bytes;
  saveTotals(tx, totals);
}

/** By whom something is made, when, and where its numbers come from. */
export interface Making {
  readonly caller: Caller;
  readonly now: Timespec;
  readonly ids: NumberSource;
}

/**
 * A new inode, not yet saved, with what it inherits. Its ino may serve as the cookie of its first
 * dentry.
 */
export function makeInode(
  tx: Transaction,
  { caller, now, ids }: Making,
  parent: Inode,
  mode: number,
  rdev: number,
): Inode {
  const ino = ids.take(1) as Ino;
  adjustUsage(tx, 1, 0);
  const inherited = inheritanceOf(caller, parent, defaultAclOf(tx, parent), mode);
  const directory = isDirectory(mode);
  const inode: Inode = {
    ino,
    mode: inherited.mode,
    nlink: directory ? 2 : 1,
    uid: inherited.uid,
    gid: inherited.gid,
    rdev,
    sizeBytes: directory ? DIRECTORY_SIZE_BYTES : 0,
    allocatedBytes: 0,
    atimeSec: now.sec,
    atimeNsec: now.nsec,
    mtimeSec: now.sec,
    mtimeNsec: now.nsec,
    ctimeSec: now.sec,
    ctimeNsec: now.nsec,
    parent: directory ? parent.ino : (0 as Ino),
    data: ino,
    pool: parent.pool,
    opens: 0,
    xattrListBytes: 0,
    marked: false,
    acls: 0,
  };
  storeInherited(tx, inode, inherited);
  return inode;
}

/** For an id that is to be given once more. @throws FsError ESTALE when something has it */
export function requireUnused(tx: ReadTransaction, id: number): void {
  const used =
    tx.get(keys.inode(id as Ino)) !== undefined ||
    tx.get(keys.reap(id)) !== undefined ||
    [...tx.range({ ...keyRanges.chunks(id), limit: 1 })].length > 0;
  if (used) throw new FsError("ESTALE", `id ${id} is in use`);
}

export function stampChange(inode: Inode, now: Timespec): void {
  inode.ctimeSec = now.sec;
  inode.ctimeNsec = now.nsec;
}

/** As after a change of the content: mtime and ctime. */
export function stampContent(inode: Inode, now: Timespec): void {
  inode.mtimeSec = now.sec;
  inode.mtimeNsec = now.nsec;
  stampChange(inode, now);
}
