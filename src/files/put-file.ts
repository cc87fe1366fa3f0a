// A stream into a file, which appears under its name when it is whole.
import type { Timespec } from "../domain/attributes.ts";
import type { Ino, Name } from "../domain/ids.ts";
import { toName } from "../domain/name.ts";
import { type FileHandle, O_CREAT, O_EXCL, O_WRONLY } from "../vfs/vfs.ts";
import type { FileAccess } from "./file-access.ts";
import type { TransferProgress } from "./transfer-progress.ts";

export interface PutTarget {
  readonly parent: Ino;
  readonly name: Name;
  /** Permission bits of the file when it is whole; until then only its owner may touch it. */
  readonly mode: number;
  readonly mtime?: Timespec;
}

/**
 * Writes under a temporary name, then renames, so that no reader ever sees half a file. Returns the
 * bytes written. After a failure nothing of it is left, and what stood under the name still does.
 * @throws the signal's reason; the source should end with it too
 */
export async function putFile(
  access: FileAccess,
  source: AsyncIterable<Uint8Array>,
  target: PutTarget,
  progress: TransferProgress,
  signal?: AbortSignal,
): Promise<number> {
  const { vfs, caller, random } = access;
  const { parent, name, mode, mtime } = target;
  const temporary = toName(`.dfs-put-${random.bytes(8).toString("hex")}`);
  const flags = O_WRONLY | O_CREAT | O_EXCL;
  const { fh, attr } = await vfs.create(caller, parent, temporary, 0o600, flags);
  try {
    let bytes: number;
    try {
      bytes = await writeAll(access, fh, source, progress, signal);
      await vfs.setattr(caller, attr.ino, mtime === undefined ? { mode } : { mode, mtime }, fh);
    } finally {
      await vfs.release(fh);
    }
    await vfs.rename(caller, parent, temporary, parent, name, 0);
    return bytes;
  } catch (error) {
    await removeQuietly(access, parent, temporary);
    signal?.throwIfAborted();
    throw error;
  }
}

async function writeAll(
  { vfs }: FileAccess,
  fh: FileHandle,
  source: AsyncIterable<Uint8Array>,
  progress: TransferProgress,
  signal: AbortSignal | undefined,
): Promise<number> {
  let offset = 0;
  for await (const bytes of source) {
    signal?.throwIfAborted();
    await vfs.write(fh, offset, bytes, true);
    offset += bytes.length;
    progress.advance(bytes.length);
  }
  await vfs.flush(fh);
  return offset;
}

/** The failure that led here is the one to tell. */
async function removeQuietly({ vfs, caller }: FileAccess, parent: Ino, name: Name): Promise<void> {
  try {
    await vfs.unlink(caller, parent, name);
  } catch {
    // It is garbage that nobody reads; whoever lists the directory sees it.
  }
}
