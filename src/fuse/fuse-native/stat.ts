// Attributes in the shape in which fuse-native takes them: 32-bit numbers and milliseconds.
import { S_IFMT, type Attr, type StatFs } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import { MAX_NAME_BYTES } from "../../domain/limits.ts";
import type { DirEntry } from "../../protocol/meta/meta-service.ts";
import type { FuseNativeStat, FuseNativeStatFs } from "./package.ts";

const UINT32_MAX = 2 ** 32 - 1;
/** st_blksize: programs write in pieces of this size, the largest that libfuse 2 sends. */
const PREFERRED_IO_BYTES = 128 * 1024;
const BLOCK_BYTES = 4096;
const SECTOR_BYTES = 512;

/** Before 1970 the package would show the year 584,554,000: then it is 1970. */
export function toMs(sec: number, nsec: number): number {
  return Math.max(0, sec * 1000 + Math.floor(nsec / 1e6));
}

/**
 * Half a second off, within its second: a program that sets a new file's access time to what it is
 * and one that sets it to the present would else say the same.
 */
export function shownAtimeMs({ atimeSec, atimeNsec }: Attr): number {
  return toMs(atimeSec, (atimeNsec + 5e8) % 1e9);
}

/**
 * @throws FsError EOVERFLOW: cut to 32 bits it could be another file's, and look like a hard link
 */
export function toFuseNativeStat(attr: Attr): FuseNativeStat {
  if (attr.ino > UINT32_MAX) {
    throw new FsError("EOVERFLOW", `inode ${attr.ino} doesn't fit fuse-native's 32 bits`);
  }
  return {
    mode: attr.mode,
    uid: attr.uid,
    gid: attr.gid,
    size: attr.sizeBytes,
    nlink: attr.nlink,
    ino: attr.ino,
    rdev: attr.rdev,
    blksize: PREFERRED_IO_BYTES,
    blocks: Math.ceil(attr.allocatedBytes / SECTOR_BYTES),
    atime: shownAtimeMs(attr),
    mtime: toMs(attr.mtimeSec, attr.mtimeNsec),
    ctime: toMs(attr.ctimeSec, attr.ctimeNsec),
  };
}

/** For a listing: only type and inode number are looked at. What doesn't fit shows as unknown. */
export function toEntryStat(entry: DirEntry): { mode: number; ino: number } {
  return { mode: entry.mode & S_IFMT, ino: entry.ino > UINT32_MAX ? UINT32_MAX : entry.ino };
}

/** Blocks as large as it takes for their count to fit. */
export function toFuseNativeStatFs(stat: StatFs): FuseNativeStatFs {
  let blockBytes = BLOCK_BYTES;
  while (stat.totalBytes / blockBytes > UINT32_MAX) blockBytes *= 2;
  const free = Math.floor(stat.freeBytes / blockBytes);
  const files = Math.min(stat.inodes + free, UINT32_MAX);
  const freeFiles = Math.min(free, UINT32_MAX);
  return {
    bsize: blockBytes,
    frsize: blockBytes,
    blocks: Math.floor(stat.totalBytes / blockBytes),
    bfree: free,
    bavail: free,
    files,
    ffree: freeFiles,
    favail: freeFiles,
    namemax: MAX_NAME_BYTES,
  };
}
