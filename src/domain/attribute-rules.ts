// Who may change which attributes, and what becomes of suid and sgid (POSIX chmod, chown, utimens,
// truncate; fs/attr.c of Linux where they leave a choice).
import {
  type AttrChanges,
  type Caller,
  isDirectory,
  isRegular,
  S_IFMT,
  S_ISGID,
  S_ISUID,
  S_IXGRP,
} from "./attributes.ts";
import { FsError } from "./errno.ts";
import {
  inGroup,
  isRoot,
  MAY_WRITE,
  type Protected,
  requireAccess,
  requireOwner,
} from "./permission.ts";

/** The mode without suid, and without sgid where it is not the mark of mandatory locking. */
export function withoutPrivileges(mode: number): number {
  if (isDirectory(mode)) return mode;
  return mode & ~(S_ISUID | ((mode & S_IXGRP) !== 0 ? S_ISGID : 0));
}

/** The mode after a chmod: someone outside the file's group can't make it setgid. */
export function modeAfterChmod(caller: Caller, inode: Protected, mode: number): number {
  const lost = inGroup(caller, inode.gid) ? 0 : S_ISGID;
  return (inode.mode & S_IFMT) | (mode & 0o7777 & ~lost);
}

/**
 * Owner and mode after the changes, in the order of Linux: a truncate by other than root and every
 * chown take the privileges, a chmod in the same request has the last word.
 */
export function ownershipAfter(
  caller: Caller,
  inode: Protected,
  changes: AttrChanges,
): { uid: number; gid: number; mode: number } {
  const { uid = inode.uid, gid = inode.gid } = changes;
  const isChown = changes.uid !== undefined || changes.gid !== undefined;
  const isOthersTruncate = changes.sizeBytes !== undefined && !isRoot(caller);
  const kills = isChown || isOthersTruncate || changes.killPrivileges === true;
  const kept = kills ? withoutPrivileges(inode.mode) : inode.mode;
  if (changes.mode === undefined) return { uid, gid, mode: kept };
  return { uid, gid, mode: modeAfterChmod(caller, { ...inode, gid, mode: kept }, changes.mode) };
}

/**
 * Checks all changes of one request against the inode as it is.
 * @param handleOpen the caller has the file open for writing, which was checked then
 * @throws FsError EPERM, EACCES; EISDIR, EINVAL (a length for something that has none)
 */
export function requireChangeable(
  caller: Caller,
  inode: Protected,
  changes: AttrChanges,
  handleOpen: boolean,
): void {
  if (changes.mode !== undefined) requireOwner(caller, inode);
  requireChown(caller, inode, changes);
  requireTimes(caller, inode, changes);
  requireKilling(caller, inode, changes, handleOpen);
  if (changes.sizeBytes !== undefined) {
    requireTruncatable(inode);
    if (!handleOpen) requireAccess(caller, inode, MAY_WRITE);
  }
}

/** Only root gives files away; an owner may choose among his groups (_POSIX_CHOWN_RESTRICTED). */
function requireChown(caller: Caller, inode: Protected, { uid, gid }: AttrChanges): void {
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
  inode: Protected,
  { atime, mtime, sizeBytes }: AttrChanges,
): void {
  if (isRoot(caller) || caller.uid === inode.uid) return;
  const both = atime === mtime || sizeBytes !== undefined;
  const chosen = [atime, mtime].some((time) => time !== undefined && time !== "now");
  if (chosen || !both) requireOwner(caller, inode);
  if (atime !== undefined || mtime !== undefined) requireAccess(caller, inode, MAY_WRITE);
}

/** Clearing suid and sgid comes with other changes, or with the right to write. */
function requireKilling(
  caller: Caller,
  inode: Protected,
  { killPrivileges, sizeBytes, uid, gid, mode }: AttrChanges,
  handleOpen: boolean,
): void {
  const alone = [sizeBytes, uid, gid, mode].every((change) => change === undefined);
  if (killPrivileges === true && alone && !handleOpen) requireAccess(caller, inode, MAY_WRITE);
}

function requireTruncatable(inode: Protected): void {
  if (isDirectory(inode.mode)) throw new FsError("EISDIR", "directories can't be truncated");
  if (!isRegular(inode.mode)) throw new FsError("EINVAL", "only regular files have a length");
}
