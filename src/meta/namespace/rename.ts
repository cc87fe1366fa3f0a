// rename(2) with RENAME_NOREPLACE and RENAME_EXCHANGE.
import {
  isDirectory,
  isRegular,
  S_IFMT,
  type Caller,
  type Timespec,
} from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import { ROOT_INO, type Ino, type Name } from "../../domain/ids.ts";
import { MAX_LINKS } from "../../domain/limits.ts";
import {
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  type RenameReply,
} from "../../protocol/meta/meta-service.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import type { Dentry } from "../schema/directory.ts";
import type { Inode } from "../schema/inode.ts";
import { findDentry, isDots, isEmptyDirectory, putDentry } from "./dentries.ts";
import { removeDentry, requireDentry } from "./dentries.ts";
import { dropLink, type NewEntry } from "./entries.ts";
import { loadDirectory, loadInode, saveInode, stampChange, stampContent } from "./inodes.ts";
import { MAY_EXECUTE, MAY_WRITE, requireAccess, requireUnsticky } from "../../domain/permission.ts";
import { destroyInode } from "./reaper.ts";
import { citesUnsettled } from "./unsettled-slices.ts";

export interface Rename extends NewEntry {
  readonly newParent: Ino;
  readonly newName: Name;
  readonly flags: number;
  /** This inode was made durable for it. */
  readonly synced: Ino | undefined;
  /** What had to be on disk was, before it was done first. */
  readonly isRedo: boolean;
}

/** One end of a rename: the directory, and the entry there. */
interface End {
  directory: Inode;
  name: Name;
  dentry: Dentry;
  inode: Inode;
}

export function renameEntry(tx: Transaction, rename: Rename): RenameReply {
  const { caller, parent, name, newParent, newName, flags } = rename;
  if (flags !== 0 && flags !== RENAME_NOREPLACE && flags !== RENAME_EXCHANGE) {
    throw new FsError("EINVAL", `rename flags ${flags} are not supported`);
  }
  if (isDots(name) || isDots(newName)) throw new FsError("EBUSY", "dot entries stay");
  const source = loadDirectory(tx, parent);
  const target = newParent === parent ? source : loadDirectory(tx, newParent);
  requireAccess(caller, source, MAY_WRITE | MAY_EXECUTE);
  requireAccess(caller, target, MAY_WRITE | MAY_EXECUTE);
  const from = loadEnd(tx, source, name, requireDentry(tx, parent, name));
  requireUnsticky(caller, source, from.inode);
  rename.witness.met(from.inode.ino);
  const existing = findDentry(tx, newParent, newName);
  if (existing === undefined) {
    if (flags === RENAME_EXCHANGE) throw new FsError("ENOENT", "nothing to exchange with");
    requireMovable(tx, caller, from.inode, source, target);
    move(tx, rename, from, target);
    return {};
  }
  if (flags === RENAME_NOREPLACE) throw new FsError("EEXIST", "the new name exists");
  rename.witness.met(existing.ino);
  if (existing.ino === from.inode.ino) return {};
  const to = loadEnd(tx, target, newName, existing);
  requireUnsticky(caller, target, to.inode);
  requireMovable(tx, caller, from.inode, source, target);
  if (flags === RENAME_EXCHANGE) {
    requireMovable(tx, caller, to.inode, target, source);
    exchange(tx, rename.now, from, to);
    return {};
  }
  requireReplaceable(tx, from.inode, to.inode);
  if (!rename.isRedo && mustSync(tx, rename, from.inode)) return { unsettled: from.inode.ino };
  removeDentry(tx, target.ino, newName, existing);
  if (isDirectory(to.inode.mode)) {
    target.nlink -= 1;
    destroyInode(tx, to.inode);
  } else dropLink(tx, rename.now, to.inode);
  move(tx, rename, from, target);
  return {};
}

/**
 * A file that takes another's place has its bytes on disk before: a power cut must leave one of the
 * two whole, as programs that replace a file without fsync have it from ext4 (auto_da_alloc).
 */
function mustSync(tx: ReadTransaction, { synced }: Rename, inode: Inode): boolean {
  return isRegular(inode.mode) && synced !== inode.ino && citesUnsettled(tx, inode);
}

function loadEnd(tx: ReadTransaction, directory: Inode, name: Name, dentry: Dentry): End {
  return { directory, name, dentry, inode: loadInode(tx, dentry.ino) };
}

/**
 * @throws FsError EINVAL (a directory into itself or below), EACCES (its ".." can't be rewritten),
 *   EMLINK
 */
function requireMovable(
  tx: ReadTransaction,
  caller: Caller,
  inode: Inode,
  source: Inode,
  target: Inode,
): void {
  if (!isDirectory(inode.mode) || source.ino === target.ino) return;
  requireAccess(caller, inode, MAY_WRITE);
  for (let above: Inode = target; ; above = loadInode(tx, above.parent)) {
    if (above.ino === inode.ino) {
      throw new FsError("EINVAL", "a directory can't be moved below itself");
    }
    if (above.ino === ROOT_INO) break;
  }
  if (target.nlink >= MAX_LINKS) {
    throw new FsError("EMLINK", `directory ${target.ino} has too many subdirectories`);
  }
}

/** @throws FsError ENOTDIR, EISDIR, ENOTEMPTY */
function requireReplaceable(tx: ReadTransaction, inode: Inode, replaced: Inode): void {
  if (!isDirectory(replaced.mode)) {
    if (!isDirectory(inode.mode)) return;
    throw new FsError("ENOTDIR", "a directory can't replace what is none");
  }
  if (!isDirectory(inode.mode)) throw new FsError("EISDIR", "the new name is a directory");
  if (!isEmptyDirectory(tx, replaced.ino)) throw new FsError("ENOTEMPTY", "directory not empty");
}

/**
 * The new name is free by now. A new cookie: whoever lists meets the entry under one name or both.
 */
function move(tx: Transaction, { newName, now, ids }: Rename, from: End, target: Inode): void {
  const { directory: source, inode } = from;
  removeDentry(tx, source.ino, from.name, from.dentry);
  putDentry(tx, target.ino, newName, {
    ino: inode.ino,
    type: inode.mode & S_IFMT,
    cookie: ids.take(1),
  });
  if (isDirectory(inode.mode)) {
    source.nlink -= 1;
    target.nlink += 1;
    inode.parent = target.ino;
  }
  stampChange(inode, now);
  saveInode(tx, inode);
  saveBoth(tx, now, source, target);
}

/** Each name keeps its cookie and points at the other's inode. */
function exchange(tx: Transaction, now: Timespec, from: End, to: End): void {
  pointAt(tx, from, to.inode);
  pointAt(tx, to, from.inode);
  for (const [{ inode }, here, there] of [
    [from, from.directory, to.directory],
    [to, to.directory, from.directory],
  ] as const) {
    if (isDirectory(inode.mode)) {
      here.nlink -= 1;
      there.nlink += 1;
      inode.parent = there.ino;
    }
    stampChange(inode, now);
    saveInode(tx, inode);
  }
  saveBoth(tx, now, from.directory, to.directory);
}

function pointAt(tx: Transaction, end: End, inode: Inode): void {
  putDentry(tx, end.directory.ino, end.name, {
    ino: inode.ino,
    type: inode.mode & S_IFMT,
    cookie: end.dentry.cookie,
  });
}

function saveBoth(tx: Transaction, now: Timespec, source: Inode, target: Inode): void {
  stampContent(source, now);
  saveInode(tx, source);
  if (target.ino === source.ino) return;
  stampContent(target, now);
  saveInode(tx, target);
}
