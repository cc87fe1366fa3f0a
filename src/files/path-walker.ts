// Walks paths of the file system by lookups, on a caller's behalf.
import { type Attr, isDirectory, isSymlink } from "../domain/attributes.ts";
import { FsError, isFsError } from "../domain/errno.ts";
import { type Ino, type Name, ROOT_INO } from "../domain/ids.ts";
import { toName } from "../domain/name.ts";
import type { FileAccess } from "./file-access.ts";
import { type FilePath, formatPath, splitPath } from "./file-path.ts";

/** Linux MAXSYMLINKS. */
const MAX_SYMLINKS_FOLLOWED = 40;

/** Walks paths by lookups. `.` and `..` and symbolic links are followed as open(2) does. */
export class PathWalker {
  readonly #access: FileAccess;

  constructor(access: FileAccess) {
    this.#access = access;
  }

  /** @throws FsError ENOENT, ENOTDIR, ELOOP, EACCES, with the path in the message */
  async resolve(path: FilePath, followLast = true): Promise<Attr> {
    const { vfs, caller } = this.#access;
    const root = await vfs.getattr(caller, ROOT_INO);
    return this.#walk([root], [...path], followLast, formatPath(path));
  }

  /** As resolve, undefined instead of ENOENT. */
  async find(path: FilePath, followLast = true): Promise<Attr | undefined> {
    try {
      return await this.resolve(path, followLast);
    } catch (error) {
      if (isFsError(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  /** The directory a path's last name is in, and that name. @throws FsError EINVAL for the root */
  async resolveParent(path: FilePath): Promise<{ parent: Attr; name: Name }> {
    const name = path.at(-1);
    if (name === undefined) throw new FsError("EINVAL", "/ is the root directory itself");
    const parent = await this.resolve(path.slice(0, -1));
    if (!isDirectory(parent.mode)) throw notDirectory(formatPath(path.slice(0, -1)));
    return { parent, name };
  }

  /** `trail` is the chain of directories above the current one, for "..". */
  async #walk(start: Attr[], names: Name[], followLast: boolean, shown: string): Promise<Attr> {
    let trail = start;
    let followed = 0;
    for (let name = names.shift(); name !== undefined; name = names.shift()) {
      const current = trail.at(-1);
      if (current === undefined || !isDirectory(current.mode)) throw notDirectory(shown);
      if (name === "..") {
        trail = trail.length > 1 ? trail.slice(0, -1) : trail;
        continue;
      }
      const child = await this.#lookup(current.ino, name, shown);
      if (isSymlink(child.mode) && (followLast || names.length > 0)) {
        followed += 1;
        if (followed > MAX_SYMLINKS_FOLLOWED) {
          throw new FsError("ELOOP", `${shown}: too many symbolic links`);
        }
        const target = await this.#access.vfs.readlink(this.#access.caller, child.ino);
        if (target.startsWith("/")) trail = trail.slice(0, 1);
        names.unshift(...splitPath(target).map(toName));
        continue;
      }
      trail = [...trail, child];
    }
    const last = trail.at(-1);
    if (last === undefined) throw new FsError("ENOENT", `${shown}: no such file or directory`);
    return last;
  }

  async #lookup(parent: Ino, name: Name, shown: string): Promise<Attr> {
    try {
      return await this.#access.vfs.lookup(this.#access.caller, parent, name);
    } catch (error) {
      if (isFsError(error, "ENOENT")) {
        throw new FsError("ENOENT", `${shown}: no such file or directory`, { cause: error });
      }
      throw error;
    }
  }
}

function notDirectory(shown: string): FsError {
  return new FsError("ENOTDIR", `${shown}: not a directory`);
}
