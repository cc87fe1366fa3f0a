// The npm package fuse-native 2.2.6: the part of its shape that is used, and loading it.
import { createRequire } from "node:module";
import { FsError } from "../../domain/errno.ts";

/** Called once with 0 or a negative errno; read and write give the count of bytes instead of 0. */
export type Answer<T = void> = (result: number, value?: T) => void;

/** struct stat as it crosses: times in ms since 1970, everything but sizes and times in 32 bits. */
export interface FuseNativeStat {
  mode: number;
  uid: number;
  gid: number;
  size: number;
  nlink: number;
  ino: number;
  rdev: number;
  blksize: number;
  blocks: number;
  atime: number;
  mtime: number;
  ctime: number;
}

/** struct statvfs, in 32 bits each. */
export interface FuseNativeStatFs {
  bsize: number;
  frsize: number;
  blocks: number;
  bfree: number;
  bavail: number;
  files: number;
  ffree: number;
  favail: number;
  namemax: number;
}

/** What getxattr may answer with: the package calls copy first and reads length afterwards. */
export interface FuseNativeXattr {
  readonly length: number;
  copy(target: Uint8Array): void;
}

/** Paths begin with "/", which is the root itself; a character a byte: see fuse-native-mount.ts. */
export interface FuseNativeOperations {
  init(answer: Answer): void;
  statfs(path: string, answer: Answer<FuseNativeStatFs>): void;
  getattr(path: string, answer: Answer<FuseNativeStat>): void;
  readdir(path: string, answer: (result: number, names?: string[], stats?: object[]) => void): void;
  truncate(path: string, sizeBytes: number, answer: Answer): void;
  ftruncate(path: string, fh: number, sizeBytes: number, answer: Answer): void;
  utimens(path: string, atimeMs: number, alsoAtimeMs: number, answer: Answer): void;
  readlink(path: string, answer: Answer<string>): void;
  chown(path: string, uid: number, gid: number, answer: Answer): void;
  chmod(path: string, mode: number, answer: Answer): void;
  mknod(path: string, mode: number, rdev: number, answer: Answer): void;
  mkdir(path: string, mode: number, answer: Answer): void;
  unlink(path: string, answer: Answer): void;
  rmdir(path: string, answer: Answer): void;
  rename(from: string, to: string, answer: Answer): void;
  link(existing: string, path: string, answer: Answer): void;
  symlink(target: string, path: string, answer: Answer): void;
  open(path: string, flags: number, answer: Answer<number>): void;
  create(path: string, mode: number, answer: Answer<number>): void;
  read(
    path: string,
    fh: number,
    buffer: Uint8Array,
    lengthBytes: number,
    offset: number,
    answer: Answer,
  ): void;
  write(
    path: string,
    fh: number,
    buffer: Uint8Array,
    lengthBytes: number,
    offset: number,
    answer: Answer,
  ): void;
  flush(path: string, fh: number, answer: Answer): void;
  release(path: string, fh: number, answer: Answer): void;
  fsync(path: string, dataOnly: number, fh: number, answer: Answer): void;
  fsyncdir(path: string, dataOnly: number, fh: number, answer: Answer): void;
  setxattr(
    path: string,
    name: string,
    value: Uint8Array,
    position: number,
    flags: number,
    answer: Answer,
  ): void;
  getxattr(path: string, name: string, position: number, answer: Answer<FuseNativeXattr>): void;
  listxattr(path: string, answer: Answer<string[]>): void;
  removexattr(path: string, name: string, answer: Answer): void;
}

export interface FuseNativeOptions {
  /** false: the package doesn't answer for us after 15 s, which would free buffers still in use. */
  timeout: false;
  fsname: string;
  subtype: string;
  modules: string;
  defaultPermissions: boolean;
  entryTimeout: string;
  attrTimeout: string;
}

export interface FuseNative {
  mount(done: (error: Error | null) => void): void;
}

export type FuseNativeClass = new (
  mountpoint: string,
  operations: FuseNativeOperations,
  options: FuseNativeOptions,
) => FuseNative;

/** @throws FsError ENOSYS when it isn't installed, or libfuse 2 isn't */
export function loadFuseNative(): FuseNativeClass {
  const require = createRequire(import.meta.url);
  try {
    return require("fuse-native") as FuseNativeClass;
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND";
    const advice = missing
      ? "it isn't installed: run `npm install` without --omit=optional"
      : "it doesn't load: it needs libfuse 2 (Debian: `apt install libfuse2 fuse3`) and x86-64";
    throw new FsError("ENOSYS", `no fuse-native driver: ${advice}`, { cause });
  }
}
