// A directory of the file system as the root of a mount (`--subdir`): its inode is shown as number
// 1, and nothing above it can be reached.
import { isDirectory, type Caller } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import { ROOT_INO, type Ino } from "../../domain/ids.ts";
import { nameFromUtf8 } from "../../domain/name.ts";
import type { DirEntry } from "../../protocol/meta/meta-service.ts";
import { translateVfs } from "./translated-vfs.ts";
import type { FileHandle, Vfs } from "../vfs.ts";

/** `inner` with `directory` as its root. */
function rootAt(inner: Vfs, directory: Ino): Vfs {
  const view = translateVfs(inner, {
    inward: { ino: (ino) => (ino === ROOT_INO ? directory : ino) },
    outward: {
      attr: (attr) => (attr.ino === directory ? { ...attr, ino: ROOT_INO } : attr),
      entry(entry) {
        if (entry.ino !== directory) return entry;
        const { attr, ...rest } = entry;
        return {
          ...rest,
          ino: ROOT_INO,
          ...(attr === undefined ? {} : { attr: { ...attr, ino: ROOT_INO } }),
        };
      },
    },
  });
  /** Open handles of the root: its ".." leads to itself. */
  const rootHandles = new Set<FileHandle>();
  return {
    ...view,
    forget(ino, count) {
      // The root's one reference is ours, from finding it: the kernel counts none of its own.
      if (ino !== ROOT_INO) view.forget(ino, count);
    },
    opendir(caller, ino) {
      const opened = view.opendir(caller, ino);
      if (ino !== ROOT_INO) return opened;
      const remember = (fh: FileHandle): FileHandle => {
        rootHandles.add(fh);
        return fh;
      };
      return opened instanceof Promise ? opened.then(remember) : remember(opened);
    },
    readdir(fh, cursor, withAttrs) {
      const page = view.readdir(fh, cursor, withAttrs);
      if (!rootHandles.has(fh)) return page;
      return page instanceof Promise ? page.then(closeAbove) : closeAbove(page);
    },
    releasedir(fh) {
      rootHandles.delete(fh);
      view.releasedir(fh);
    },
    close() {
      inner.forget(directory, 1);
      return view.close();
    },
  };
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
  return found === ROOT_INO ? vfs : rootAt(vfs, found);
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
