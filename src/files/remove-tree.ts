// A name and all below it goes, from the leaves up.
import { isDirectory } from "../domain/attributes.ts";
import type { Ino } from "../domain/ids.ts";
import type { FileAccess } from "./file-access.ts";
import { listDirectory, type ListedFile } from "./list-directory.ts";

/** What was removed before a failure stays removed. @throws the signal's reason */
export async function removeTree(
  access: FileAccess,
  parent: Ino,
  { name, attr }: ListedFile,
  signal?: AbortSignal,
): Promise<void> {
  const { vfs, caller } = access;
  signal?.throwIfAborted();
  if (!isDirectory(attr.mode)) {
    await vfs.unlink(caller, parent, name);
    return;
  }
  for await (const child of listDirectory(access, attr.ino, signal)) {
    await removeTree(access, attr.ino, child, signal);
  }
  await vfs.rmdir(caller, parent, name);
}
