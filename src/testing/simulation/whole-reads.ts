// A file's content as a program reads it, all at once.
import { ROOT_CALLER } from "../../domain/attributes.ts";
import type { Ino } from "../../domain/ids.ts";
import type { FileHandle, Vfs } from "../../vfs/vfs.ts";

/** More than any file has. */
export const WHOLE_BYTES = 1024 * 1024;

/** All of a file's bytes, as a program reads it. */
export async function readWhole(vfs: Vfs, ino: Ino): Promise<Buffer> {
  const { fh } = await vfs.open(ROOT_CALLER, ino, 0);
  try {
    return await readOpen(vfs, fh);
  } finally {
    await vfs.release(fh);
  }
}

export async function readOpen(vfs: Vfs, fh: FileHandle): Promise<Buffer> {
  // Pieces are good until the handle's next read.
  return Buffer.concat(await vfs.read(fh, 0, WHOLE_BYTES));
}
