// What the reference model is made of: inodes of four kinds, and how a path leads to one.
import { FsError, type ErrnoName } from "../../domain/errno.ts";
import type { ModelData } from "./file-data.ts";

interface Inode {
  mode: number;
  uid: number;
  gid: number;
  /** Seconds, where somebody set it and nothing changed it since. */
  mtime: number | undefined;
  readonly xattrs: Map<string, string>;
}

export interface ModelFile extends Inode {
  readonly type: "file";
  nlink: number;
  readonly data: ModelData;
  /** Made without a name, and never named. */
  linkable: boolean;
}

export interface ModelDirectory extends Inode {
  readonly type: "dir";
  parent: ModelDirectory | undefined;
  readonly entries: Map<string, ModelInode>;
}

export interface ModelSymlink extends Inode {
  readonly type: "symlink";
  nlink: number;
  readonly target: string;
}

export interface ModelSocket extends Inode {
  readonly type: "socket";
  nlink: number;
}

export type ModelInode = ModelFile | ModelDirectory | ModelSymlink | ModelSocket;

/** Where a name stands, or would. */
export interface Place {
  readonly parent: ModelDirectory;
  readonly name: string;
  readonly inode: ModelInode | undefined;
}

/** path_resolution(7): symbolic links that Linux follows in one path. */
export const MAX_FOLLOWED = 40;

export function fail(code: ErrnoName): never {
  throw new FsError(code, "model");
}

/**
 * Walks a path; its last name need not exist.
 * @throws FsError ENOENT, ENOTDIR, ELOOP
 */
export function walk(root: ModelDirectory, path: string, followLast: boolean): Place {
  let names = path.split("/");
  let parent: ModelInode = root;
  let followed = 0;
  for (;;) {
    const [name = "", ...rest] = names;
    if (parent.type !== "dir") return fail("ENOTDIR");
    const inode = parent.entries.get(name);
    if (inode?.type === "symlink" && (rest.length > 0 || followLast)) {
      followed += 1;
      if (followed > MAX_FOLLOWED) fail("ELOOP");
      names = [...inode.target.split("/"), ...rest];
    } else if (rest.length === 0) {
      return { parent, name, inode };
    } else {
      parent = inode ?? fail("ENOENT");
      names = rest;
    }
  }
}

/** True for `directory` itself too. */
export function isWithin(directory: ModelDirectory, ancestor: ModelInode): boolean {
  for (let at: ModelDirectory | undefined = directory; at !== undefined; at = at.parent) {
    if (at === ancestor) return true;
  }
  return false;
}

/** Directories count themselves, their name and their subdirectories' "..". */
export function linksOf(inode: ModelInode): number {
  if (inode.type !== "dir") return inode.nlink;
  return 2 + [...inode.entries.values()].filter(({ type }) => type === "dir").length;
}
