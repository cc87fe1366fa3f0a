// setattr: chmod, chown, utimens and truncate in one, with POSIX's ownership rules.
import { isDirectory, isRegular, S_IFMT, S_ISGID } from "../../domain/attributes.ts";
import type { AttrChanges, Caller, Timespec } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import type { Ino } from "../../domain/ids.ts";
import type { Transaction } from "../engine/engine.ts";
import type { Inode } from "../schema/inode.ts";
import { followMode } from "./inode-acl.ts";
import { truncateInode } from "./data.ts";
import { loadInode, saveInode, stampChange, stampContent } from "./inodes.ts";
import { inGroup, isRoot, MAY_WRITE, mayAccess, requireAccess } from "./permission.ts";
import { requireOwner, withoutPrivileges } from "./permission.ts";

export function changeAttributes(
  tx: Transaction,
  caller: Caller,
  ino: Ino,
  changes: AttrChanges,
  handleOpen: boolean,
  now: Timespec,
): Inode {
  const inode = loadInode(tx, ino);
  // All checks come first, against the inode as it was: setattr is all or nothing.
  if (changes.mode !== undefined) requireOwner(caller, inode);
  requireChown(caller, inode, changes);
  requireTimes(caller, inode, changes);
  requireKilling(caller, inode, changes, handleOpen);
  if (changes.sizeBytes !== undefined) {
    requireTruncatable(inode);
    if (!handleOpen) requireAccess(caller, inode, MAY_WRITE);
    truncateInode(tx, inode, changes.sizeBytes);
    if (!isRoot(caller)) inode.mode = withoutPrivileges(inode.mode);
    stampContent(inode, now);
  }
  if (changes.uid !== undefined || changes.gid !== undefined) {
    inode.uid = changes.uid ?? inode.uid;
    inode.gid = changes.gid ?? inode.gid;
    inode.mode = withoutPrivileges(inode.mode);
  }
  if (changes.killPrivileges === true) inode.mode = withoutPrivileges(inode.mode);
  if (changes.mode !== undefined) {
    applyMode(caller, inode, changes.mode);
    followMode(tx, inode);
  }
  if (changes.atime !== undefined) {
    const atime = changes.atime === "now" ? now : changes.atime;
    inode.atimeSec = atime.sec;
    inode.atimeNsec = atime.nsec;
  }
  if (changes.mtime !== undefined) {
    const mtime = changes.mtime === "now" ? now : changes.mtime;
    inode.mtimeSec = mtime.sec;
    inode.mtimeNsec = mtime.nsec;
  }
  stampChange(inode, now);
  saveInode(tx, inode);
  return inode;
}

/** Someone outside the file's group can't make it setgid (POSIX chmod). */
function applyMode(caller: Caller, inode: Inode, mode: number): void {
  const lost = inGroup(caller, inode.gid) ? 0 : S_ISGID;
  inode.mode = (inode.mode & S_IFMT) | (mode & 0o7777 & ~lost);
}

/** Only root gives files away; an owner may choose among his groups (_POSIX_CHOWN_RESTRICTED). */
function requireChown(caller: Caller, inode: Inode, { uid, gid }: AttrChanges): void {
  if ((uid === undefined && gid === undefined) || isRoot(caller)) return;
  const givesAway = uid !== undefined && uid !== inode.uid;
  const foreignGroup = gid !== undefined && gid !== inode.gid && !inGroup(caller, gid);
  if (caller.uid !== inode.uid || givesAway || foreignGroup) {
    throw new FsError("EPERM", `uid ${caller.uid} may not change the owner of ${inode.ino}`);
  }
}

/**
 * Setting a time of one's choice, or one alone, takes ownership; setting both to now, the right to
 * write.
 */
function requireTimes(
  caller: Caller,
  inode: Inode,
  { atime, mtime, sizeBytes }: AttrChanges,
): void {
  if (isRoot(caller) || caller.uid === inode.uid) return;
  const both = atime === mtime || sizeBytes !== undefined;
  const chosen = [atime, mtime].some((time) => time !== undefined && time !== "now");
  if (chosen || !both) requireOwner(caller, inode);
  const touched = atime !== undefined || mtime !== undefined;
  if (touched && !mayAccess(caller, inode, MAY_WRITE)) {
    throw new FsError("EACCES", `uid ${caller.uid} may not touch inode ${inode.ino}`);
  }
}

/** Clearing suid and sgid comes with other changes, or with the right to write. */
function requireKilling(
  caller: Caller,
  inode: Inode,
  { killPrivileges, sizeBytes, uid, gid, mode }: AttrChanges,
  handleOpen: boolean,
): void {
  const alone = [sizeBytes, uid, gid, mode].every((change) => change === undefined);
  if (killPrivileges === true && alone && !handleOpen) requireAccess(caller, inode, MAY_WRITE);
}

function requireTruncatable(inode: Inode): void {
  if (isDirectory(inode.mode)) throw new FsError("EISDIR", "directories can't be truncated");
  if (!isRegular(inode.mode)) throw new FsError("EINVAL", "only regular files have a length");
}
