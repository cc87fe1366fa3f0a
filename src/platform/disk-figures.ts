// How large and how full the file system of a directory is.
import { statfsSync } from "node:fs";

export interface DiskFigures {
  totalBytes: number;
  /** What an unprivileged process could still write. */
  freeBytes: number;
}

export function diskFigures(directory: string): DiskFigures {
  const { blocks, bavail, bsize } = statfsSync(directory);
  return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
}
