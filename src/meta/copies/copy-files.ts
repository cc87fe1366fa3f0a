// Copies as files: written under another name until they are whole and on disk, read piece by
// piece.
import { dirname } from "node:path";
import { FsError } from "../../domain/errno.ts";
import { syncDirectory, writeAll, type Disk } from "../../platform/disk/disk.ts";
import { CopyDecoder, type CopyFacts } from "./copy-reader.ts";

/** Read at a time. */
const READ_BYTES = 256 * 1024;
/** Of the name that a copy has until it is whole. */
export const PARTIAL_SUFFIX = ".partial";

/** The pieces of a file. @throws FsError ENOENT, EIO, EACCES… */
export async function* readPieces(disk: Disk, path: string): AsyncGenerator<Buffer> {
  const file = await disk.open(path, "read").catch((error: unknown) => {
    throw asFsError(error, `cannot read ${path}`);
  });
  try {
    for (let position = 0; ;) {
      const piece = Buffer.allocUnsafe(READ_BYTES);
      const bytes = await file.read(piece, 0, position);
      if (bytes === 0) return;
      position += bytes;
      yield piece.subarray(0, bytes);
    }
  } finally {
    await file.close();
  }
}

/**
 * Writes a copy to `path`, in place of what is there once it is whole, on disk and its checksums
 * were seen to hold. Only its owner may read it.
 * @throws FsError EBADMSG the pieces are no whole copy; ENOSPC, EIO…: `path` is as it was
 */
export async function writeCopyFile(
  disk: Disk,
  path: string,
  pieces: AsyncIterable<Uint8Array>,
): Promise<CopyFacts> {
  const partial = path + PARTIAL_SUFFIX;
  try {
    const facts = await writePartial(disk, partial, pieces);
    await disk.rename(partial, path);
    await syncDirectory(disk, dirname(path));
    return facts;
  } catch (error) {
    await disk.remove(partial).catch(() => undefined);
    throw asFsError(error, `cannot write ${path}`);
  }
}

async function writePartial(
  disk: Disk,
  path: string,
  pieces: AsyncIterable<Uint8Array>,
): Promise<CopyFacts> {
  const file = await disk.open(path, "replace", 0o600);
  const decoder = new CopyDecoder();
  try {
    let position = 0;
    for await (const piece of pieces) {
      decoder.check(piece);
      await writeAll(file, piece, position);
      position += piece.length;
    }
    if (decoder.facts === undefined) throw decoder.cutShort();
    await file.datasync();
    return decoder.facts;
  } finally {
    await file.close();
  }
}

/** Node's errors of files have an errno name as their code. */
function asFsError(error: unknown, what: string): unknown {
  if (error instanceof FsError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const name = code === "ENOENT" || code === "EACCES" || code === "ENOSPC" ? code : undefined;
  if (name === undefined && code === undefined) return error;
  return new FsError(name ?? "EIO", `${what}: ${message}`, { cause: error });
}
