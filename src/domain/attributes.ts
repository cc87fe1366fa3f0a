// What stat(2) tells of an inode, and the kinds and modes it speaks in.
import type { Ino } from "./ids.ts";

/** File type bits of st_mode (POSIX sys/stat.h, Linux values). */
export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;
export const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;
export const S_ISVTX = 0o1000;
export const S_IXGRP = 0o010;

/** Attributes of an inode. Times are POSIX seconds (may be negative) and 0…999,999,999 ns. */
export interface Attr {
  ino: Ino;
  /** Type and permission bits. */
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  /** Linux dev_t of a device node, else 0. */
  rdev: number;
  sizeBytes: number;
  /** Bytes allotted to the file's extents; st_blocks is this / 512 rounded up. */
  allocatedBytes: number;
  atimeSec: number;
  atimeNsec: number;
  mtimeSec: number;
  mtimeNsec: number;
  ctimeSec: number;
  ctimeNsec: number;
  /** There are extended attributes or ACLs; absent where there are none. */
  hasXattrs?: true;
}

export interface Timespec {
  sec: number;
  nsec: number;
}

/** A setattr request; absent fields stay. "now" is the server's clock. */
export interface AttrChanges {
  mode?: number;
  uid?: number;
  gid?: number;
  sizeBytes?: number;
  atime?: Timespec | "now";
  mtime?: Timespec | "now";
  /** Clear suid and sgid as a write or chown by another than root does. */
  killPrivileges?: boolean;
}

/** On whose behalf an operation is done. */
export interface Caller {
  uid: number;
  gid: number;
  /** Supplementary groups where they are known. */
  groups?: readonly number[];
  /** Bits to take off the modes of what it makes, unless a default ACL says what they are to be. */
  umask?: number;
  /** Thread that asks, where it runs on this machine; it stays here. */
  pid?: number;
}

export const ROOT_CALLER: Caller = { uid: 0, gid: 0 };

export function isDirectory(mode: number): boolean {
  return (mode & S_IFMT) === S_IFDIR;
}

export function isRegular(mode: number): boolean {
  return (mode & S_IFMT) === S_IFREG;
}

export function isSymlink(mode: number): boolean {
  return (mode & S_IFMT) === S_IFLNK;
}

/** statfs figures of the cluster, in bytes of user data (redundancy already taken off). */
export interface StatFs {
  totalBytes: number;
  freeBytes: number;
  inodes: number;
}
