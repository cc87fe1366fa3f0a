// All entries of a directory with their attributes, page by page.
import type { Attr } from "../domain/attributes.ts";
import type { Ino, Name } from "../domain/ids.ts";
import type { FileAccess } from "./file-access.ts";

export interface ListedFile {
  readonly name: Name;
  readonly attr: Attr;
}

/** Entries without "." and "..", in the order of the directory. @throws the signal's reason */
export async function* listDirectory(
  { vfs, caller }: FileAccess,
  directory: Ino,
  signal?: AbortSignal,
): AsyncGenerator<ListedFile> {
  const fh = await vfs.opendir(caller, directory);
  try {
    let cursor = 0;
    for (;;) {
      signal?.throwIfAborted();
      const page = await vfs.readdir(fh, cursor, true);
      const last = page.at(-1);
      if (last === undefined) return;
      for (const { name, ino, attr } of page) {
        if (name === "." || name === "..") continue;
        yield { name, attr: attr ?? (await vfs.getattr(caller, ino)) };
      }
      cursor = last.cookie;
    }
  } finally {
    vfs.releasedir(fh);
  }
}
