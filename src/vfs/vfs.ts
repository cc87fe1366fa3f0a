// POSIX by inode, as the edges (FUSE drivers, gateways, CLI copy commands) call it. No kernel here.
// Methods answer at once where they can, so that the caller's synchronous path stays synchronous.
import type { Attr, AttrChanges, Caller, StatFs } from "../domain/attributes.ts";
import type { LockOwner, LockRange, LockSpace, LockType } from "../domain/file-lock.ts";
import type { Ino, Name } from "../domain/ids.ts";
import type { DirEntry, LockConflict } from "../protocol/meta/meta-service.ts";

export type MaybePromise<T> = T | Promise<T>;

/** Open-file or open-directory state; a small positive integer. */
export type FileHandle = number;

export interface OpenResult {
  fh: FileHandle;
  attr: Attr;
  /** The kernel may keep the pages it has of this inode. */
  keepCache: boolean;
}

/** An fcntl lock somebody asks about. */
export interface FileLock extends LockRange {
  owner: LockOwner;
  type: LockType;
}

/** Locks or unlocks a range; a flock's is the whole file. */
export interface FileLockRequest extends LockRange {
  space: LockSpace;
  owner: LockOwner;
  type: LockType | "unlock";
  pid: number;
}

export interface LockResult {
  /**
   * What the kernel has cached of the inode may be from before: to be dropped before it goes on.
   */
  stale: boolean;
}

/** open(2) flags as Linux numbers them on x86-64 and arm64 alike, where used here. */
export const O_ACCMODE = 3;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_APPEND = 0o2000;
export const O_SYNC = 0o4010000;
export const O_DSYNC = 0o10000;
/** The kernel opens the file to run it (__FMODE_EXEC, linux/fs.h 6.1); programs can't set it. */
export const O_EXECUTE = 0o40;

/** fallocate(2) modes (linux/falloc.h) that are carried out; all others are EOPNOTSUPP. */
export const FALLOC_KEEP_SIZE = 0x01;
export const FALLOC_PUNCH_HOLE = 0x02;
export const FALLOC_ZERO_RANGE = 0x10;

/**
 * Errors are FsError with POSIX errnos. Buffers handed in may be reused once the method has
 * settled.
 */
export interface Vfs {
  lookup(caller: Caller, parent: Ino, name: Name): MaybePromise<Attr>;
  /** The kernel dropped `count` references to `ino`. */
  forget(ino: Ino, count: number): void;
  getattr(caller: Caller, ino: Ino, fh?: FileHandle): MaybePromise<Attr>;
  setattr(caller: Caller, ino: Ino, changes: AttrChanges, fh?: FileHandle): MaybePromise<Attr>;
  readlink(caller: Caller, ino: Ino): MaybePromise<string>;
  symlink(caller: Caller, parent: Ino, name: Name, target: string): MaybePromise<Attr>;
  mknod(caller: Caller, parent: Ino, name: Name, mode: number, rdev: number): MaybePromise<Attr>;
  mkdir(caller: Caller, parent: Ino, name: Name, mode: number): MaybePromise<Attr>;
  unlink(caller: Caller, parent: Ino, name: Name): MaybePromise<void>;
  rmdir(caller: Caller, parent: Ino, name: Name): MaybePromise<void>;
  rename(
    caller: Caller,
    parent: Ino,
    name: Name,
    newParent: Ino,
    newName: Name,
    flags: number,
  ): MaybePromise<void>;
  link(caller: Caller, ino: Ino, parent: Ino, name: Name): MaybePromise<Attr>;

  create(
    caller: Caller,
    parent: Ino,
    name: Name,
    mode: number,
    flags: number,
  ): MaybePromise<OpenResult>;
  /** A regular file without a name (O_TMPFILE), gone with its last close unless `link` names it. */
  createUnnamed(caller: Caller, parent: Ino, mode: number, flags: number): MaybePromise<OpenResult>;
  open(caller: Caller, ino: Ino, flags: number): MaybePromise<OpenResult>;
  /**
   * The bytes at [offset, offset + sizeBytes), fewer at the end of the file, as pieces in order.
   * The pieces are views of cached memory: not to be written to, valid until the next read by the
   * same handle or its release.
   */
  read(fh: FileHandle, offset: number, sizeBytes: number): MaybePromise<readonly Uint8Array[]>;
  /**
   * Copies `data` before it returns or settles; waits while too much is dirty. Returns data.length.
   */
  write(
    fh: FileHandle,
    offset: number,
    data: Uint8Array,
    killPrivileges: boolean,
  ): MaybePromise<number>;
  /** fallocate(2) with `mode` of FALLOC_…; space is not reserved. */
  fallocate(
    caller: Caller,
    fh: FileHandle,
    mode: number,
    offset: number,
    lengthBytes: number,
  ): MaybePromise<void>;
  /** SEEK_DATA, or SEEK_HOLE. @throws FsError ENXIO at or behind the end, or with no data left */
  seek(fh: FileHandle, offset: number, to: "data" | "hole"): MaybePromise<number>;
  /** copy_file_range(2) by reference; returns the bytes copied, fewer at the source's end. */
  copyRange(
    caller: Caller,
    source: { fh: FileHandle; offset: number },
    target: { fh: FileHandle; offset: number },
    lengthBytes: number,
  ): MaybePromise<number>;
  /**
   * close(2): what was written is committed, or the error is told. `owner`: who closes, and with it
   * gives up its fcntl locks on the file.
   */
  flush(fh: FileHandle, owner?: LockOwner): MaybePromise<void>;
  fsync(fh: FileHandle, dataOnly: boolean): MaybePromise<void>;
  /** Last reference to the handle is gone, and with it the locks of its open file description. */
  release(fh: FileHandle): MaybePromise<void>;

  opendir(caller: Caller, ino: Ino): MaybePromise<FileHandle>;
  /** Entries after `cursor` (0 from the start, "." and ".." included), as many as come cheaply. */
  readdir(fh: FileHandle, cursor: number, withAttrs: boolean): MaybePromise<readonly DirEntry[]>;
  releasedir(fh: FileHandle): void;
  fsyncdir(fh: FileHandle): MaybePromise<void>;

  /** What stands against the lock. Absent where locks hold only between this machine's programs. */
  readonly getlk?:
    ((fh: FileHandle, lock: FileLock) => MaybePromise<LockConflict | undefined>) | undefined;
  /**
   * Absent as getlk. With `signal` it waits until it has the lock or the signal says to give up.
   * @throws FsError EAGAIN (not waiting, held by others), EDEADLK, ENOLCK, EINTR
   */
  readonly setlk?:
    | ((fh: FileHandle, request: FileLockRequest, signal?: AbortSignal) => MaybePromise<LockResult>)
    | undefined;

  getxattr(caller: Caller, ino: Ino, name: string): MaybePromise<Uint8Array>;
  setxattr(
    caller: Caller,
    ino: Ino,
    name: string,
    value: Uint8Array,
    flags: number,
  ): MaybePromise<void>;
  listxattr(caller: Caller, ino: Ino): MaybePromise<string[]>;
  removexattr(caller: Caller, ino: Ino, name: string): MaybePromise<void>;
  statfs(): MaybePromise<StatFs>;
  /** Everything acknowledged is on disk, data and metadata. */
  syncfs(): MaybePromise<void>;
  /** Flushes what is dirty; no operation may follow. */
  close(): Promise<void>;
}
