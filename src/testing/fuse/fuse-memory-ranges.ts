// Range operations of the in-memory file system: right, and no more than that. Holes are zeroes
// that are stored; only what lies behind the last byte that was ever written counts as a hole.
import { FsError } from "../../domain/errno.ts";
import { FALLOC_KEEP_SIZE, FALLOC_PUNCH_HOLE, FALLOC_ZERO_RANGE } from "../../vfs/vfs.ts";
import type { MemoryFile } from "./fuse-memory-file.ts";

/** A test's range is small. */
const MAX_CLEARED_BYTES = 2 ** 30;

/** @throws FsError EOPNOTSUPP */
export function fallocate(file: MemoryFile, mode: number, offset: number, length: number): void {
  const known = FALLOC_KEEP_SIZE | FALLOC_PUNCH_HOLE | FALLOC_ZERO_RANGE;
  if ((mode & ~known) !== 0) throw new FsError("EOPNOTSUPP", `fallocate mode ${mode}`);
  if ((mode & (FALLOC_PUNCH_HOLE | FALLOC_ZERO_RANGE)) !== 0) {
    const cleared = Math.min(length, file.sizeBytes - offset, MAX_CLEARED_BYTES);
    if (cleared > 0) file.write(offset, new Uint8Array(cleared));
  }
  if ((mode & FALLOC_KEEP_SIZE) === 0 && offset + length > file.sizeBytes) {
    file.truncate(offset + length);
  }
}

/** All of a file is data. @throws FsError ENXIO */
export function seek(file: MemoryFile, offset: number, to: "data" | "hole"): number {
  if (offset >= file.sizeBytes) throw new FsError("ENXIO", "behind the end");
  return to === "data" ? offset : file.sizeBytes;
}

export function copyRange(
  source: MemoryFile,
  sourceOffset: number,
  target: MemoryFile,
  targetOffset: number,
  length: number,
): number {
  const bytes = Buffer.concat(source.read(sourceOffset, length));
  target.write(targetOffset, bytes);
  return bytes.length;
}
