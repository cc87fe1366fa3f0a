// A small POSIX file system in memory behind the Vfs interface: correct, synchronous, one process.
// It counts the kernel's lookups, so that a driver that loses or repeats a FORGET is found out.
import { isAclName } from "../../domain/acl.ts";
import { withoutPrivileges } from "../../domain/attribute-rules.ts";
import {
  isDirectory,
  isRegular,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type Attr,
  type AttrChanges,
  type Caller,
  type StatFs,
} from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import { inheritanceOf } from "../../domain/inheritance.ts";
import { ROOT_INO, type Ino, type Name } from "../../domain/ids.ts";
import { MAX_FILE_BYTES } from "../../domain/limits.ts";
import {
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  type DirEntry,
} from "../../protocol/meta/meta-service.ts";
import {
  O_ACCMODE,
  O_EXCL,
  O_TRUNC,
  type FileHandle,
  type OpenResult,
  type Vfs,
} from "../../vfs/vfs.ts";
import * as ranges from "./fuse-memory-ranges.ts";
import { attrOf, MemoryTree, wallTime, type MemoryNode } from "./fuse-memory-tree.ts";

const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;
const CAPACITY_BYTES = 2 ** 40;

export interface MemoryVfsOptions {
  /** Default true. */
  readonly keepCache?: boolean;
  /** Entries of one readdir page, default 512. */
  readonly pageEntries?: number;
  /** Reads come in pieces of at most so many bytes. */
  readonly pieceBytes?: number;
}

export class MemoryVfs implements Vfs {
  readonly #tree = new MemoryTree();
  readonly #keepCache: boolean;
  readonly #pageEntries: number;
  readonly #pieceBytes: number;

  constructor(options: MemoryVfsOptions = {}) {
    this.#keepCache = options.keepCache ?? true;
    this.#pageEntries = options.pageEntries ?? 512;
    this.#pieceBytes = options.pieceBytes ?? Number.MAX_SAFE_INTEGER;
  }

  /** Lookups not yet forgotten, the root's not counted. */
  get outstandingLookups(): number {
    let sum = 0;
    for (const node of this.#tree.nodes) if (node.ino !== ROOT_INO) sum += node.lookups;
    return sum;
  }

  get openHandles(): number {
    return this.#tree.handleCount;
  }

  get inodeCount(): number {
    return this.#tree.inodeCount;
  }

  lookup(_caller: Caller, parent: Ino, name: Name): Attr {
    return this.#handOut(this.#tree.child(this.#tree.directory(parent), name));
  }

  forget(ino: Ino, count: number): void {
    const node = this.#tree.node(ino);
    if (ino === ROOT_INO) return;
    if (count > node.lookups) {
      throw new Error(`forget of ${count} lookups of inode ${ino}, which has ${node.lookups}`);
    }
    node.lookups -= count;
    this.#tree.reap(node);
  }

  getattr(_caller: Caller, ino: Ino): Attr {
    return attrOf(this.#tree.node(ino));
  }

  setattr(_caller: Caller, ino: Ino, changes: AttrChanges): Attr {
    const node = this.#tree.node(ino);
    const time = wallTime();
    if (changes.sizeBytes !== undefined) {
      if (!isRegular(node.mode)) throw new FsError("EISDIR", "not a regular file");
      if (changes.sizeBytes > MAX_FILE_BYTES) throw new FsError("EFBIG", "too large");
      node.file.truncate(changes.sizeBytes);
      node.mtime = time;
    }
    if (changes.killPrivileges === true) node.mode = withoutPrivileges(node.mode);
    if (changes.mode !== undefined) node.mode = (node.mode & S_IFMT) | (changes.mode & 0o7777);
    if (changes.uid !== undefined) node.uid = changes.uid;
    if (changes.gid !== undefined) node.gid = changes.gid;
    if (changes.atime !== undefined) node.atime = changes.atime === "now" ? time : changes.atime;
    if (changes.mtime !== undefined) node.mtime = changes.mtime === "now" ? time : changes.mtime;
    node.ctime = time;
    return attrOf(node);
  }

  readlink(_caller: Caller, ino: Ino): string {
    const node = this.#tree.node(ino);
    if ((node.mode & S_IFMT) !== S_IFLNK) throw new FsError("EINVAL", "not a symbolic link");
    return node.target;
  }

  symlink(caller: Caller, parent: Ino, name: Name, target: string): Attr {
    const node = this.#add(caller, parent, name, S_IFLNK | 0o777, 0);
    node.target = target;
    return this.#handOut(node);
  }

  mknod(caller: Caller, parent: Ino, name: Name, mode: number, rdev: number): Attr {
    return this.#handOut(this.#add(caller, parent, name, mode, rdev));
  }

  mkdir(caller: Caller, parent: Ino, name: Name, mode: number): Attr {
    return this.#handOut(this.#add(caller, parent, name, S_IFDIR | (mode & 0o7777), 0));
  }

  unlink(_caller: Caller, parent: Ino, name: Name): void {
    const directory = this.#tree.directory(parent);
    if (isDirectory(this.#tree.child(directory, name).mode))
      throw new FsError("EISDIR", "is a directory");
    this.#tree.dropLink(this.#tree.removeName(directory, name));
  }

  rmdir(_caller: Caller, parent: Ino, name: Name): void {
    const directory = this.#tree.directory(parent);
    const node = this.#tree.child(directory, name);
    if (!isDirectory(node.mode)) throw new FsError("ENOTDIR", "not a directory");
    if (node.entries.size > 0) throw new FsError("ENOTEMPTY", "directory isn't empty");
    this.#tree.dropLink(this.#tree.removeName(directory, name));
  }

  rename(
    _caller: Caller,
    parent: Ino,
    name: Name,
    newParent: Ino,
    newName: Name,
    flags: number,
  ): void {
    if (![0, RENAME_NOREPLACE, RENAME_EXCHANGE].includes(flags))
      throw new FsError("EINVAL", "flags");
    const tree = this.#tree;
    const from = tree.directory(parent);
    const to = tree.directory(newParent);
    const node = tree.child(from, name);
    if (tree.isAbove(node, to)) throw new FsError("EINVAL", "below itself");
    node.ctime = wallTime();
    if ((flags & RENAME_EXCHANGE) !== 0) {
      const other = tree.child(to, newName);
      tree.removeName(from, name);
      tree.removeName(to, newName);
      tree.addName(from, name, other);
      tree.addName(to, newName, node);
      return;
    }
    const target = to.entries.has(newName) ? tree.child(to, newName) : undefined;
    if (target === node) return;
    if (target !== undefined) {
      if ((flags & RENAME_NOREPLACE) !== 0) throw new FsError("EEXIST", "exists");
      requireReplaceable(node, target);
      tree.dropLink(tree.removeName(to, newName));
    }
    tree.removeName(from, name);
    tree.addName(to, newName, node);
  }

  link(_caller: Caller, ino: Ino, parent: Ino, name: Name): Attr {
    const node = this.#tree.node(ino);
    if (isDirectory(node.mode)) throw new FsError("EPERM", "a directory has one name");
    this.#tree.addName(this.#tree.directory(parent), name, node);
    node.nlink++;
    node.ctime = wallTime();
    return this.#handOut(node);
  }

  create(caller: Caller, parent: Ino, name: Name, mode: number, flags: number): OpenResult {
    const directory = this.#tree.directory(parent);
    if (directory.entries.has(name)) {
      if ((flags & O_EXCL) !== 0) throw new FsError("EEXIST", "exists");
      const node = this.#tree.child(directory, name);
      const opened = this.open(caller, node.ino, flags);
      this.#handOut(node);
      return opened;
    }
    const node = this.#add(caller, parent, name, S_IFREG | (mode & 0o7777), 0);
    return {
      fh: this.#tree.openHandle(node, true),
      attr: this.#handOut(node),
      keepCache: this.#keepCache,
    };
  }

  open(_caller: Caller, ino: Ino, flags: number): OpenResult {
    const node = this.#tree.node(ino);
    if (isDirectory(node.mode)) throw new FsError("EISDIR", "is a directory");
    if ((flags & O_TRUNC) !== 0) {
      node.file.truncate(0);
      node.mtime = node.ctime = wallTime();
    }
    const fh = this.#tree.openHandle(node, (flags & O_ACCMODE) !== 0);
    return { fh, attr: attrOf(node), keepCache: this.#keepCache };
  }

  read(fh: FileHandle, offset: number, sizeBytes: number): readonly Uint8Array[] {
    const pieces = this.#tree.opened(fh).file.read(offset, sizeBytes);
    return pieces.flatMap((piece) => cut(piece, this.#pieceBytes));
  }

  write(fh: FileHandle, offset: number, data: Uint8Array, killsPrivileges: boolean): number {
    const node = this.#tree.openedToWrite(fh);
    if (offset + data.length > MAX_FILE_BYTES) throw new FsError("EFBIG", "too large");
    node.file.write(offset, data);
    if (killsPrivileges) node.mode = withoutPrivileges(node.mode);
    node.mtime = node.ctime = wallTime();
    return data.length;
  }

  createUnnamed(caller: Caller, parent: Ino, mode: number): OpenResult {
    const directory = this.#tree.directory(parent);
    const made = inheritanceOf(caller, directory, undefined, S_IFREG | (mode & 0o7777));
    const node = this.#tree.newNode(made, made.mode, 0);
    node.nlink = 0;
    const fh = this.#tree.openHandle(node, true);
    return { fh, attr: this.#handOut(node), keepCache: this.#keepCache };
  }

  fallocate(
    _caller: Caller,
    fh: FileHandle,
    mode: number,
    offset: number,
    lengthBytes: number,
  ): void {
    ranges.fallocate(this.#tree.opened(fh).file, mode, offset, lengthBytes);
  }

  seek(fh: FileHandle, offset: number, to: "data" | "hole"): number {
    return ranges.seek(this.#tree.opened(fh).file, offset, to);
  }

  copyRange(
    _caller: Caller,
    source: { fh: FileHandle; offset: number },
    target: { fh: FileHandle; offset: number },
    lengthBytes: number,
  ): number {
    const from = this.#tree.opened(source.fh).file;
    const to = this.#tree.opened(target.fh).file;
    return ranges.copyRange(from, source.offset, to, target.offset, lengthBytes);
  }

  flush(fh: FileHandle): void {
    this.#tree.opened(fh);
  }

  fsync(fh: FileHandle): void {
    this.#tree.opened(fh);
  }

  release(fh: FileHandle): void {
    this.#tree.closeHandle(fh);
  }

  opendir(_caller: Caller, ino: Ino): FileHandle {
    return this.#tree.openHandle(this.#tree.directory(ino), false);
  }

  readdir(fh: FileHandle, cursor: number, withAttrs: boolean): DirEntry[] {
    const directory = this.#tree.opened(fh);
    const page: DirEntry[] = [];
    if (cursor < 1) page.push(dots(".", directory.ino, 1));
    if (cursor < 2) page.push(dots("..", directory.parent, 2));
    for (const [name, { ino, cookie }] of directory.entries) {
      if (cookie <= cursor) continue;
      if (page.length >= this.#pageEntries) break;
      const node = this.#tree.node(ino);
      const attr = withAttrs ? { attr: this.#handOut(node) } : {};
      page.push({ name, ino, mode: node.mode, cookie, ...attr });
    }
    return page;
  }

  releasedir(fh: FileHandle): void {
    this.#tree.closeHandle(fh);
  }

  fsyncdir(fh: FileHandle): void {
    this.#tree.opened(fh);
  }

  getxattr(_caller: Caller, ino: Ino, name: string): Uint8Array {
    const value = this.#tree.node(ino).xattrs.get(name);
    if (value === undefined) throw new FsError("ENODATA", "no such attribute");
    return value;
  }

  setxattr(_caller: Caller, ino: Ino, name: string, value: Uint8Array, flags: number): void {
    // To keep an ACL without applying it would be a lie: cp sets modes this way.
    if (isAclName(name)) throw new FsError("EOPNOTSUPP", "no ACLs here");
    const { xattrs } = this.#tree.node(ino);
    if ((flags & XATTR_CREATE) !== 0 && xattrs.has(name)) throw new FsError("EEXIST", "exists");
    if ((flags & XATTR_REPLACE) !== 0 && !xattrs.has(name)) throw new FsError("ENODATA", "missing");
    xattrs.set(name, value);
  }

  listxattr(_caller: Caller, ino: Ino): string[] {
    return [...this.#tree.node(ino).xattrs.keys()];
  }

  removexattr(_caller: Caller, ino: Ino, name: string): void {
    if (!this.#tree.node(ino).xattrs.delete(name))
      throw new FsError("ENODATA", "no such attribute");
  }

  statfs(): StatFs {
    let used = 0;
    for (const node of this.#tree.nodes) used += node.file.allocatedBytes;
    return {
      totalBytes: CAPACITY_BYTES,
      freeBytes: CAPACITY_BYTES - used,
      inodes: this.#tree.inodeCount,
    };
  }

  syncfs(): void {
    // Memory is as durable as it gets here.
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Attributes that the driver must give back with `forget`. */
  #handOut(node: MemoryNode): Attr {
    node.lookups++;
    return attrOf(node);
  }

  #add(caller: Caller, parent: Ino, name: Name, mode: number, rdev: number): MemoryNode {
    const directory = this.#tree.directory(parent);
    if (directory.entries.has(name)) throw new FsError("EEXIST", "exists");
    const made = inheritanceOf(caller, directory, undefined, mode);
    const node = this.#tree.newNode(made, made.mode, rdev);
    this.#tree.addName(directory, name, node);
    return node;
  }
}

function cut(bytes: Uint8Array, pieceBytes: number): Uint8Array[] {
  if (bytes.length <= pieceBytes) return [bytes];
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    pieces.push(bytes.subarray(at, at + pieceBytes));
  }
  return pieces;
}

function dots(name: string, ino: Ino, cookie: number): DirEntry {
  return { name: name as Name, ino, mode: S_IFDIR, cookie };
}

function requireReplaceable(node: MemoryNode, target: MemoryNode): void {
  if (isDirectory(target.mode)) {
    if (!isDirectory(node.mode)) throw new FsError("EISDIR", "target is a directory");
    if (target.entries.size > 0) throw new FsError("ENOTEMPTY", "target isn't empty");
  } else if (isDirectory(node.mode)) throw new FsError("ENOTDIR", "target isn't a directory");
}
