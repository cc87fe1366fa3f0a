// Paths inside the file system, as commands are given them: absolute, with or without "dfs:".
import { type Attr, type Caller, isDirectory, isSymlink } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import { type Ino, type Name, ROOT_INO } from "../../domain/ids.ts";
import { displayName, nameFromUtf8, toName } from "../../domain/name.ts";
import type { Vfs } from "../../vfs/vfs.ts";
import { CliError, EXIT } from "../terminal/exit-codes.ts";

/** Linux MAXSYMLINKS. */
const MAX_SYMLINKS_FOLLOWED = 40;

/** The names from the root down to the file; empty for the root itself. ".." stays in. */
export type RemotePath = readonly Name[];

/** @throws CliError (usage) when the path isn't absolute */
export function parseRemotePath(text: string): RemotePath {
  const path = text.startsWith("dfs:") ? text.slice("dfs:".length) : text;
  if (!path.startsWith("/")) {
    throw new CliError(
      EXIT.usage,
      `"${text}" is not an absolute path of the file system`,
      "Write it like /backup/file or dfs:/backup/file.",
    );
  }
  return splitPath(path).map(nameFromUtf8);
}

function splitPath(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

export function formatRemotePath(path: RemotePath): string {
  return `/${path.map(displayName).join("/")}`;
}

/** The process's own identity, on whose behalf commands act. */
export function callerOfProcess(): Caller {
  return {
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    groups: process.getgroups?.() ?? [],
  };
}

/** Walks paths by lookups. `.` and `..` and symbolic links are followed as open(2) does. */
export class PathWalker {
  readonly #vfs: Vfs;
  readonly #caller: Caller;

  constructor(vfs: Vfs, caller: Caller) {
    this.#vfs = vfs;
    this.#caller = caller;
  }

  /** @throws FsError ENOENT, ENOTDIR, ELOOP, EACCES, with the path in the message */
  async resolve(path: RemotePath, followLast = true): Promise<Attr> {
    const root = await this.#vfs.getattr(this.#caller, ROOT_INO);
    return this.#walk([root], [...path], followLast, formatRemotePath(path));
  }

  /** As resolve, undefined instead of ENOENT. */
  async find(path: RemotePath, followLast = true): Promise<Attr | undefined> {
    try {
      return await this.resolve(path, followLast);
    } catch (error) {
      if (error instanceof FsError && error.code === "ENOENT") return undefined;
      throw error;
    }
  }

  /** The directory a path's last name is in, and that name. @throws FsError EINVAL for the root */
  async resolveParent(path: RemotePath): Promise<{ parent: Attr; name: Name }> {
    const name = path.at(-1);
    if (name === undefined) throw new FsError("EINVAL", "/ is the root directory itself");
    const parent = await this.resolve(path.slice(0, -1));
    if (!isDirectory(parent.mode)) throw notDirectory(formatRemotePath(path.slice(0, -1)));
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
        const target = await this.#vfs.readlink(this.#caller, child.ino);
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
      return await this.#vfs.lookup(this.#caller, parent, name);
    } catch (error) {
      if (error instanceof FsError && error.code === "ENOENT") {
        throw new FsError("ENOENT", `${shown}: no such file or directory`, { cause: error });
      }
      throw error;
    }
  }
}

function notDirectory(shown: string): FsError {
  return new FsError("ENOTDIR", `${shown}: not a directory`);
}
