// POSIX by inode, as the edges (FUSE drivers, gateways, CLI copy commands) call it. No kernel here.
// Methods answer at once where they can, so that the caller's synchronous path stays synchronous.
import type { Attr, AttrChanges, Caller, StatFs } from "../domain/attributes.ts";
import type { Ino, Name } from "../domain/ids.ts";
import type { DirEntry } from "../protocol/meta-service.ts";

export type MaybePromise<T> = T | Promise<T>;

/** Open-file or open-directory state; a small positive integer. */
export type FileHandle = number;

export interface OpenResult {
  fh: FileHandle;
  attr: Attr;
  /** The kernel may keep the pages it has of this inode. */
  keepCache: boolean;
}

/** open(2) flags as Linux numbers them on x86-64 and arm64 alike, where used here. */
export const O_ACCMODE = 3;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_TRUNC = 0o1000;
export const O_SYNC = 0o4010000;
export const O_DSYNC = 0o10000;

/** Errors are FsError with POSIX errnos. Buffers handed in may be reused once the method has settled. */
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
  open(caller: Caller, ino: Ino, flags: number): MaybePromise<OpenResult>;
  /**
   * The bytes at [offset, offset + sizeBytes), fewer at the end of the file, as pieces in order.
   * The pieces are views of cached memory: not to be written to, valid until the next read by the
   * same handle or its release.
   */
  read(fh: FileHandle, offset: number, sizeBytes: number): MaybePromise<readonly Uint8Array[]>;
  /** Copies `data` before it returns or settles; waits while too much is dirty. Returns data.length. */
  write(
    caller: Caller,
    fh: FileHandle,
    offset: number,
    data: Uint8Array,
    killPrivileges: boolean,
  ): MaybePromise<number>;
  /** close(2): what was written is committed, or the error is told. */
  flush(fh: FileHandle): MaybePromise<void>;
  fsync(fh: FileHandle, dataOnly: boolean): MaybePromise<void>;
  /** Last reference to the handle is gone. */
  release(fh: FileHandle): MaybePromise<void>;

  opendir(caller: Caller, ino: Ino): MaybePromise<FileHandle>;
  /** Entries after `cursor` (0 from the start, "." and ".." included), as many as come cheaply. */
  readdir(fh: FileHandle, cursor: number, withAttrs: boolean): MaybePromise<readonly DirEntry[]>;
  releasedir(fh: FileHandle): void;
  fsyncdir(fh: FileHandle): MaybePromise<void>;

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
