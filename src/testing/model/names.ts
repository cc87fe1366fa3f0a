// The reference model's names and attributes, as root sees them on Linux. Which errno comes first
// follows the kernel's fs/namei.c (6.1), which is what a local file system shows.
import { S_ISGID, S_ISUID, S_ISVTX } from "../../domain/attributes.ts";
import {
  fail,
  isWithin,
  linksOf,
  walk,
  type ModelDirectory,
  type ModelFile,
  type ModelInode,
  type Place,
} from "./inodes.ts";
import type { PathStep, Told } from "./steps.ts";

const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;
const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;
const PERMISSION_BITS = 0o777;
const GROUP_EXECUTE = 0o010;

export function makeDirectory(parent: ModelDirectory | undefined, mode: number): ModelDirectory {
  const inherited = (parent?.mode ?? 0) & S_ISGID;
  return {
    type: "dir",
    mode: (mode & (PERMISSION_BITS | S_ISVTX)) | inherited,
    uid: 0,
    gid: inherited === 0 ? 0 : (parent?.gid ?? 0),
    mtime: undefined,
    xattrs: new Map(),
    parent,
    entries: new Map(),
  };
}

/** Attributes of what is made in `parent`. */
export function newborn(parent: ModelDirectory, mode: number): Omit<ModelFile, "type" | "data"> {
  const gid = (parent.mode & S_ISGID) === 0 ? 0 : parent.gid;
  return { mode, uid: 0, gid, nlink: 1, mtime: undefined, xattrs: new Map(), linkable: false };
}

export function told(inode: ModelInode): Told {
  const { type, mode, uid, gid, mtime } = inode;
  const sizes = { file: () => 0, dir: () => undefined, socket: () => 0, symlink: () => 0 };
  const size =
    inode.type === "file"
      ? inode.data.sizeBytes
      : inode.type === "symlink"
        ? inode.target.length
        : sizes[type]();
  return { type, mode, nlink: linksOf(inode), size, uid, gid, mtime };
}

export class ModelNames {
  readonly root = makeDirectory(undefined, 0o755);

  /** @throws FsError as stat(2) */
  find(path: string, follow = true): ModelInode {
    return walk(this.root, path, follow).inode ?? fail("ENOENT");
  }

  vacancy(path: string): Place {
    const place = walk(this.root, path, false);
    if (place.inode !== undefined) fail("EEXIST");
    return place;
  }

  /** As linkat(2) once the old inode is known. */
  linkInode(inode: ModelInode, path: string): void {
    const { parent, name } = this.vacancy(path);
    if (inode.type === "dir") fail("EPERM");
    else {
      const linkable = inode.type === "file" && inode.linkable;
      if (inode.nlink === 0 && !linkable) fail("ENOENT");
      if (inode.type === "file") inode.linkable = false;
      inode.nlink += 1;
      parent.entries.set(name, inode);
    }
  }

  apply(step: PathStep): unknown {
    switch (step.op) {
      case "mkdir": {
        const { parent, name } = this.vacancy(step.path);
        parent.entries.set(name, makeDirectory(parent, step.mode));
        return null;
      }
      case "socket": {
        const { parent, name } = this.vacancy(step.path);
        parent.entries.set(name, { type: "socket", ...newborn(parent, step.mode) });
        return null;
      }
      case "symlink": {
        const { parent, name } = this.vacancy(step.path);
        const { target } = step;
        parent.entries.set(name, { type: "symlink", ...newborn(parent, 0o777), target });
        return null;
      }
      case "link":
        this.linkInode(this.find(step.from, false), step.path);
        return null;
      case "unlink":
        return this.#unlink(step.path);
      case "rmdir":
        return this.#rmdir(step.path);
      case "rename":
        return this.#rename(step.from, step.path, step.flags);
      default:
        return this.#attributes(step);
    }
  }

  #attributes(
    step: Exclude<
      PathStep,
      { op: "mkdir" | "socket" | "symlink" | "link" | "unlink" | "rmdir" | "rename" }
    >,
  ): unknown {
    const inode = this.find(step.path, step.op !== "lstat" && step.op !== "readlink");
    switch (step.op) {
      case "stat":
      case "lstat":
        return told(inode);
      case "readlink":
        return inode.type === "symlink" ? inode.target : fail("EINVAL");
      case "list":
        return inode.type === "dir" ? [...inode.entries.keys()].sort() : fail("ENOTDIR");
      case "chmod":
        inode.mode = step.mode;
        return null;
      case "chown":
        return chown(inode, step.uid, step.gid);
      case "utimens":
        inode.mtime = inode.type === "dir" ? undefined : step.sec;
        return null;
      case "truncate":
        if (inode.type === "dir") return fail("EISDIR");
        if (inode.type !== "file") return fail("EINVAL");
        inode.data.truncate(step.size);
        inode.mtime = undefined;
        return null;
      default:
        return xattr(inode, step);
    }
  }

  #unlink(path: string): null {
    const { parent, name, inode } = walk(this.root, path, false);
    if (inode === undefined) return fail("ENOENT");
    if (inode.type === "dir") return fail("EISDIR");
    parent.entries.delete(name);
    inode.nlink -= 1;
    return null;
  }

  #rmdir(path: string): null {
    const { parent, name, inode } = walk(this.root, path, false);
    if (inode === undefined) return fail("ENOENT");
    if (inode.type !== "dir") return fail("ENOTDIR");
    if (inode.entries.size > 0) return fail("ENOTEMPTY");
    parent.entries.delete(name);
    return null;
  }

  #rename(fromPath: string, toPath: string, flags: number): null {
    const from = walk(this.root, fromPath, false);
    const to = walk(this.root, toPath, false);
    const exchanges = flags === RENAME_EXCHANGE;
    const moved = from.inode ?? fail("ENOENT");
    const met = to.inode;
    if (met !== undefined && flags === RENAME_NOREPLACE) fail("EEXIST");
    if (met === undefined && exchanges) fail("ENOENT");
    if (from.parent !== to.parent) {
      if (isWithin(to.parent, moved)) fail("EINVAL");
      if (met !== undefined && isWithin(from.parent, met)) fail(exchanges ? "EINVAL" : "ENOTEMPTY");
    }
    if (met === moved) return null;
    if (met !== undefined && exchanges) put(from.parent, from.name, met);
    else {
      if (met !== undefined) displace(moved, met);
      from.parent.entries.delete(from.name);
    }
    put(to.parent, to.name, moved);
    return null;
  }
}

function put(parent: ModelDirectory, name: string, inode: ModelInode): void {
  parent.entries.set(name, inode);
  if (inode.type === "dir") inode.parent = parent;
}

function displace(moved: ModelInode, met: ModelInode): void {
  if (moved.type === "dir" && met.type !== "dir") fail("ENOTDIR");
  if (moved.type !== "dir" && met.type === "dir") fail("EISDIR");
  if (met.type !== "dir") met.nlink -= 1;
  else if (met.entries.size > 0) fail("ENOTEMPTY");
}

/** chown(2) clears suid, and sgid where the group may execute, even when root does it. */
function chown(inode: ModelInode, uid: number, gid: number): null {
  inode.uid = uid;
  inode.gid = gid;
  if (inode.type === "dir") return null;
  inode.mode &= ~S_ISUID;
  if ((inode.mode & GROUP_EXECUTE) !== 0) inode.mode &= ~S_ISGID;
  return null;
}

function xattr(
  inode: ModelInode,
  step: Extract<PathStep, { op: "setxattr" | "getxattr" | "removexattr" | "listxattr" }>,
): unknown {
  const { xattrs } = inode;
  // xattr(7): user attributes are for files and directories.
  const allowed = inode.type === "file" || inode.type === "dir";
  switch (step.op) {
    case "listxattr":
      return [...xattrs.keys()].sort();
    case "getxattr":
      return xattrs.get(step.name) ?? fail("ENODATA");
    case "removexattr":
      if (!allowed) fail("EPERM");
      if (!xattrs.delete(step.name)) fail("ENODATA");
      return null;
    case "setxattr": {
      if (!allowed) fail("EPERM");
      const there = xattrs.has(step.name);
      if (there && step.flags === XATTR_CREATE) fail("EEXIST");
      if (!there && step.flags === XATTR_REPLACE) fail("ENODATA");
      xattrs.set(step.name, step.value);
      return null;
    }
  }
}
