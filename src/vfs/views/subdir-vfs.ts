// A directory of the file system as the root of a mount (`--subdir`): its inode is shown as number
// 1, and nothing above it can be reached.
import { isDirectory, type Caller } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import { ROOT_INO, type Ino } from "../../domain/ids.ts";
import { nameFromUtf8 } from "../../domain/name.ts";
import type { DirEntry } from "../../protocol/meta/meta-service.ts";
import { TranslatedVfs } from "./translated-vfs.ts";
import type { FileHandle, MaybePromise, Vfs } from "../vfs.ts";

class SubdirVfs extends TranslatedVfs {
  readonly #directory: Ino;
  /** Open handles of the root: its ".." leads to itself. */
  readonly #rootHandles = new Set<FileHandle>();

  constructor(inner: Vfs, directory: Ino) {
    super(inner, {
      innerCaller: (caller) => caller,
      innerIno: (ino) => (ino === ROOT_INO ? directory : ino),
      innerChanges: (changes) => changes,
      outerAttr: (attr) => (attr.ino === directory ? { ...attr, ino: ROOT_INO } : attr),
      outerEntry(entry) {
        if (entry.ino !== directory) return entry;
        const { attr, ...rest } = entry;
        return {
          ...rest,
          ino: ROOT_INO,
          ...(attr === undefined ? {} : { attr: { ...attr, ino: ROOT_INO } }),
        };
      },
      innerXattr: (_name, value) => value,
      outerXattr: (_name, value) => value,
    });
    this.#directory = directory;
  }

  override forget(ino: Ino, count: number): void {
    // The root's one reference is ours, from finding it: the kernel counts none of its own.
    if (ino !== ROOT_INO) super.forget(ino, count);
  }

  override opendir(caller: Caller, ino: Ino): MaybePromise<FileHandle> {
    const opened = super.opendir(caller, ino);
    if (ino !== ROOT_INO) return opened;
    const remember = (fh: FileHandle): FileHandle => {
      this.#rootHandles.add(fh);
      return fh;
    };
    return opened instanceof Promise ? opened.then(remember) : remember(opened);
  }

  override readdir(
    fh: FileHandle,
    cursor: number,
    withAttrs: boolean,
  ): MaybePromise<readonly DirEntry[]> {
    const page = super.readdir(fh, cursor, withAttrs);
    if (!this.#rootHandles.has(fh)) return page;
    return page instanceof Promise ? page.then(closeAbove) : closeAbove(page);
  }

  override releasedir(fh: FileHandle): void {
    this.#rootHandles.delete(fh);
    super.releasedir(fh);
  }

  override close(): Promise<void> {
    this.inner.forget(this.#directory, 1);
    return super.close();
  }
}

/** The root's "..", with neither number nor attributes of what is above. */
function closeAbove(entries: readonly DirEntry[]): readonly DirEntry[] {
  return entries.map((entry) =>
    entry.name === ".."
      ? { name: entry.name, ino: ROOT_INO, mode: entry.mode, cookie: entry.cookie }
      : entry,
  );
}

/**
 * `vfs` seen from the directory at `path` (UTF-8, from the root; "" and "/" are the root). Symlinks
 * on the way aren't followed. It is that directory for good, wherever it is renamed to.
 * @throws FsError ENOENT, ENOTDIR, EACCES, naming the part of the path; EINVAL for ".."
 */
export async function openSubdir(vfs: Vfs, caller: Caller, path: string): Promise<Vfs> {
  let found = ROOT_INO;
  let walked = "";
  for (const part of path.split("/").filter((name) => name !== "" && name !== ".")) {
    walked += `/${part}`;
    if (part === "..") throw new FsError("EINVAL", `a path with ".." can't be mounted: ${path}`);
    const parent = found;
    found = await enter(vfs, caller, parent, part, walked);
    if (parent !== ROOT_INO) vfs.forget(parent, 1);
  }
  return found === ROOT_INO ? vfs : new SubdirVfs(vfs, found);
}

async function enter(
  vfs: Vfs,
  caller: Caller,
  parent: Ino,
  part: string,
  walked: string,
): Promise<Ino> {
  try {
    const attr = await vfs.lookup(caller, parent, nameFromUtf8(part));
    if (isDirectory(attr.mode)) return attr.ino;
    vfs.forget(attr.ino, 1);
  } catch (cause) {
    if (!(cause instanceof FsError)) throw cause;
    throw new FsError(cause.code, `cannot mount ${walked}: ${cause.message}`, { cause });
  }
  throw new FsError("ENOTDIR", `cannot mount ${walked}: it is not a directory`);
}
