// Making and removing directory entries: create, mkdir, mknod, symlink, link, unlink, rmdir.
import {
  isDirectory,
  isRegular,
  isSymlink,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  type Timespec,
} from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import type { Ino, Name } from "../../domain/ids.ts";
import { MAX_LINKS, MAX_SYMLINK_BYTES } from "../../domain/limits.ts";
import type { CreateRequest } from "../../protocol/meta/meta-service.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import type { Inode } from "../schema/inode.ts";
import { keys } from "../schema/keys.ts";
import { findDentry, isDots, isEmptyDirectory, putDentry } from "./dentries.ts";
import { removeDentry, requireDentry } from "./dentries.ts";
import {
  loadDirectory,
  loadInode,
  makeInode,
  saveInode,
  stampChange,
  stampContent,
  type Making,
} from "./inodes.ts";
import {
  isRoot,
  MAY_EXECUTE,
  MAY_READ,
  MAY_WRITE,
  requireAccess,
  requireUnsticky,
} from "../../domain/permission.ts";
import { destroyInode } from "./reaper.ts";

const PERMISSION_BITS = 0o7777;

/** Names change hands: who wants to know what a change was done to is told here. */
export interface Witness {
  /** An inode that a change found by its name, and changed. */
  met(ino: Ino): void;
}

/** An entry to be made, and where. */
export interface NewEntry extends Making {
  readonly parent: Ino;
  readonly name: Name;
  readonly witness: Witness;
}

/** An entry to be removed. */
export type OldEntry = Omit<NewEntry, "ids">;

/** @throws FsError ENOENT, ENOTDIR, EACCES, EEXIST, ENAMETOOLONG */
function requireVacancy(tx: ReadTransaction, { caller, parent, name }: NewEntry): Inode {
  const directory = loadDirectory(tx, parent);
  requireAccess(caller, directory, MAY_EXECUTE);
  if (isDots(name) || findDentry(tx, parent, name) !== undefined) {
    throw new FsError("EEXIST", "the directory has an entry of that name");
  }
  requireAccess(caller, directory, MAY_WRITE);
  return directory;
}

/** Makes inode and dentry in a directory already checked; the inode is not saved yet. */
function addNew(
  tx: Transaction,
  entry: NewEntry,
  directory: Inode,
  mode: number,
  rdev: number,
): Inode {
  const inode = makeInode(tx, entry, directory, mode, rdev);
  putDentry(tx, directory.ino, entry.name, {
    ino: inode.ino,
    type: inode.mode & S_IFMT,
    cookie: inode.ino,
  });
  if (isDirectory(mode)) directory.nlink += 1;
  stampContent(directory, entry.now);
  saveInode(tx, directory);
  return inode;
}

/** A new regular file, or the existing one unless `exclusive`. The new inode is not saved yet. */
export function createFile(
  tx: Transaction,
  entry: NewEntry,
  request: CreateRequest,
  exclusive: boolean,
): { inode: Inode; created: boolean } {
  const directory = loadDirectory(tx, entry.parent);
  requireAccess(entry.caller, directory, MAY_EXECUTE);
  const existing = isDots(entry.name) ? undefined : findDentry(tx, entry.parent, entry.name);
  if (isDots(entry.name) || (existing !== undefined && exclusive)) {
    throw new FsError("EEXIST", "the directory has an entry of that name");
  }
  if (existing !== undefined) {
    const inode = loadInode(tx, existing.ino);
    requireRegular(inode);
    requireAccess(entry.caller, inode, MAY_READ | MAY_WRITE);
    return { inode, created: false };
  }
  requireAccess(entry.caller, directory, MAY_WRITE);
  const type = request.mode & S_IFMT;
  if (type !== 0 && type !== S_IFREG) {
    throw new FsError("EINVAL", "create makes regular files only");
  }
  const mode = S_IFREG | (request.mode & PERMISSION_BITS);
  return { inode: addNew(tx, entry, directory, mode, 0), created: true };
}

/**
 * A regular file in no directory, with what it would inherit from that one. It is not saved yet.
 */
export function makeUnnamed(
  tx: Transaction,
  making: Omit<NewEntry, "name" | "witness">,
  mode: number,
): Inode {
  const directory = loadDirectory(tx, making.parent);
  requireAccess(making.caller, directory, MAY_WRITE | MAY_EXECUTE);
  const inode = makeInode(tx, making, directory, S_IFREG | (mode & PERMISSION_BITS), 0);
  inode.nlink = 0;
  inode.parent = making.parent;
  return inode;
}

/** @throws FsError EISDIR, ELOOP (symlink), ENXIO (fifo, socket, device) */
export function requireRegular(inode: Inode): void {
  if (isRegular(inode.mode)) return;
  if (isDirectory(inode.mode)) throw new FsError("EISDIR", `inode ${inode.ino} is a directory`);
  if (isSymlink(inode.mode)) throw new FsError("ELOOP", `inode ${inode.ino} is a symlink`);
  throw new FsError("ENXIO", `inode ${inode.ino} is not a regular file`);
}

export function makeDirectory(tx: Transaction, entry: NewEntry, mode: number): Inode {
  const directory = requireVacancy(tx, entry);
  if (directory.nlink >= MAX_LINKS) {
    throw new FsError("EMLINK", `directory ${entry.parent} has too many subdirectories`);
  }
  const inode = addNew(tx, entry, directory, S_IFDIR | (mode & PERMISSION_BITS), 0);
  saveInode(tx, inode);
  return inode;
}

const NODE_TYPES: readonly number[] = [S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK];

export function makeNode(tx: Transaction, entry: NewEntry, request: CreateRequest): Inode {
  const type = request.mode & S_IFMT || S_IFREG;
  if (!NODE_TYPES.includes(type)) throw new FsError("EINVAL", "mknod cannot make that type");
  const device = type === S_IFCHR || type === S_IFBLK;
  const directory = requireVacancy(tx, entry);
  if (device && !isRoot(entry.caller)) throw new FsError("EPERM", "only root makes devices");
  const rdev = device ? (request.rdev ?? 0) : 0;
  const inode = addNew(tx, entry, directory, type | (request.mode & PERMISSION_BITS), rdev);
  saveInode(tx, inode);
  return inode;
}

/** `target` is latin1. */
export function makeSymlink(tx: Transaction, entry: NewEntry, target: string): Inode {
  if (target.length === 0) throw new FsError("ENOENT", "a symlink needs a target");
  if (target.length > MAX_SYMLINK_BYTES) {
    throw new FsError("ENAMETOOLONG", `symlink target is longer than ${MAX_SYMLINK_BYTES} bytes`);
  }
  const directory = requireVacancy(tx, entry);
  const inode = addNew(tx, entry, directory, S_IFLNK | 0o777, 0);
  inode.sizeBytes = target.length;
  tx.put(keys.symlink(inode.ino), Buffer.from(target, "latin1"));
  saveInode(tx, inode);
  return inode;
}

export function readSymlink(tx: ReadTransaction, ino: Ino): string {
  const inode = loadInode(tx, ino);
  const target = isSymlink(inode.mode) ? tx.get(keys.symlink(ino)) : undefined;
  if (target === undefined) throw new FsError("EINVAL", `inode ${ino} is not a symlink`);
  return Buffer.from(target.buffer, target.byteOffset, target.byteLength).toString("latin1");
}

export function linkInode(tx: Transaction, entry: NewEntry, ino: Ino): Inode {
  const directory = requireVacancy(tx, entry);
  const inode = loadInode(tx, ino);
  if (isDirectory(inode.mode)) throw new FsError("EPERM", "directories have one name only");
  const unnamed = inode.nlink === 0;
  // A parent marks what never had a name; what has lost its last one stays without.
  if (unnamed && inode.parent === 0) throw new FsError("ENOENT", `inode ${ino} is unlinked`);
  if (inode.nlink >= MAX_LINKS) throw new FsError("EMLINK", `inode ${ino} has too many links`);
  inode.nlink += 1;
  if (unnamed) inode.parent = 0 as Ino;
  stampChange(inode, entry.now);
  saveInode(tx, inode);
  putDentry(tx, entry.parent, entry.name, {
    ino,
    type: inode.mode & S_IFMT,
    cookie: entry.ids.take(1),
  });
  stampContent(directory, entry.now);
  saveInode(tx, directory);
  return inode;
}

export function unlinkEntry(tx: Transaction, entry: OldEntry): void {
  const { caller, parent, name, now, witness } = entry;
  const directory = loadDirectory(tx, parent);
  requireAccess(caller, directory, MAY_WRITE | MAY_EXECUTE);
  if (isDots(name)) throw new FsError("EISDIR", "dot entries can't be unlinked");
  const dentry = requireDentry(tx, parent, name);
  const inode = loadInode(tx, dentry.ino);
  requireUnsticky(caller, directory, inode);
  if (isDirectory(inode.mode)) throw new FsError("EISDIR", "the entry is a directory");
  witness.met(inode.ino);
  removeDentry(tx, parent, name, dentry);
  stampContent(directory, now);
  saveInode(tx, directory);
  dropLink(tx, now, inode);
}

/** Takes one name off an inode; the last one ends it unless it is open. */
export function dropLink(tx: Transaction, now: Timespec, inode: Inode): void {
  inode.nlink -= 1;
  stampChange(inode, now);
  if (inode.nlink === 0 && inode.opens === 0) destroyInode(tx, inode);
  else saveInode(tx, inode);
}

export function removeDirectory(tx: Transaction, entry: OldEntry): void {
  const { caller, parent, name, now, witness } = entry;
  const directory = loadDirectory(tx, parent);
  requireAccess(caller, directory, MAY_WRITE | MAY_EXECUTE);
  if (name === ".") throw new FsError("EINVAL", "rmdir of .");
  if (name === "..") throw new FsError("ENOTEMPTY", "rmdir of ..");
  const dentry = requireDentry(tx, parent, name);
  const inode = loadInode(tx, dentry.ino);
  requireUnsticky(caller, directory, inode);
  if (!isDirectory(inode.mode)) throw new FsError("ENOTDIR", "the entry is not a directory");
  if (!isEmptyDirectory(tx, inode.ino)) throw new FsError("ENOTEMPTY", "directory not empty");
  witness.met(inode.ino);
  removeDentry(tx, parent, name, dentry);
  destroyInode(tx, inode);
  directory.nlink -= 1;
  stampContent(directory, now);
  saveInode(tx, directory);
}
