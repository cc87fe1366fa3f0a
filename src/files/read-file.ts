// A file's bytes as a stream.
import type { Ino } from "../domain/ids.ts";
import type { FileAccess } from "./file-access.ts";

/** Two blocks a request: the read-ahead below does the rest. */
const READ_BYTES = 8 * 1024 * 1024;

/**
 * The file from its first byte to its end, in pieces. A piece is a view of cached memory: it is
 * valid until the next one is asked for, and not to be written to.
 * @throws the signal's reason
 */
export async function* readFile(
  { vfs, caller }: FileAccess,
  ino: Ino,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const { fh } = await vfs.open(caller, ino, 0);
  try {
    let offset = 0;
    for (;;) {
      signal?.throwIfAborted();
      const pieces = await vfs.read(fh, offset, READ_BYTES);
      const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
      if (bytes === 0) return;
      yield* pieces;
      offset += bytes;
    }
  } finally {
    await vfs.release(fh);
  }
}
