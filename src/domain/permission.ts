// Who may do what to an inode: mode bits, ACLs, groups, ownership, sticky directories, root's
// override. Follows Linux where POSIX leaves a choice (fs/namei.c generic_permission, fs/attr.c).
import type { Acl } from "./acl.ts";
import { aclAllows } from "./acl-rules.ts";
import { type Attr, type Caller, isDirectory, S_ISVTX } from "./attributes.ts";
import { FsError } from "./errno.ts";

/** What decides about access to an inode. */
export interface Protected extends Pick<Attr, "ino" | "mode" | "uid" | "gid"> {
  /** The access list, where there is one. */
  readonly accessAcl?: Acl | undefined;
}

export const MAY_READ = 4;
export const MAY_WRITE = 2;
export const MAY_EXECUTE = 1;

/** Execute bits of all three classes. */
const S_IXUGO = 0o111;

export function isRoot(caller: Caller): boolean {
  return caller.uid === 0;
}

export function inGroup(caller: Caller, gid: number): boolean {
  return caller.gid === gid || isRoot(caller) || caller.groups?.includes(gid) === true;
}

/** True when the caller may do everything of `wanted` (MAY_… bits). */
export function mayAccess(caller: Caller, inode: Protected, wanted: number): boolean {
  const { mode } = inode;
  if (isRoot(caller)) {
    const executable = isDirectory(mode) || (mode & S_IXUGO) !== 0;
    return executable || (wanted & MAY_EXECUTE) === 0;
  }
  const listed = caller.uid === inode.uid ? undefined : aclAllows(inode, caller, wanted);
  if (listed !== undefined) return listed;
  const granted =
    caller.uid === inode.uid ? mode >> 6 : inGroup(caller, inode.gid) ? mode >> 3 : mode;
  return (granted & wanted) === wanted;
}

/** @throws FsError EACCES */
export function requireAccess(caller: Caller, inode: Protected, wanted: number): void {
  if (mayAccess(caller, inode, wanted)) return;
  throw new FsError("EACCES", `uid ${caller.uid} may not access inode ${inode.ino}`);
}

/** @throws FsError EPERM unless the caller owns the inode or is root */
export function requireOwner(caller: Caller, inode: Protected): void {
  if (isRoot(caller) || caller.uid === inode.uid) return;
  throw new FsError("EPERM", `uid ${caller.uid} does not own inode ${inode.ino}`);
}

/**
 * Checks that an entry of `directory` may be removed or renamed.
 * @throws FsError EPERM in a sticky directory, where neither it nor `entry` is the caller's
 */
export function requireUnsticky(caller: Caller, directory: Protected, entry: Protected): void {
  if ((directory.mode & S_ISVTX) === 0) return;
  if (isRoot(caller) || caller.uid === directory.uid || caller.uid === entry.uid) return;
  throw new FsError("EPERM", `directory ${directory.ino} is sticky`);
}
