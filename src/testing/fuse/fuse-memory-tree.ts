// Inodes, names and handles of the in-memory file system, and when an inode ends.
import {
  isDirectory,
  S_IFDIR,
  type Attr,
  type Caller,
  type Timespec,
} from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import { ROOT_INO, type Ino, type Name } from "../../domain/ids.ts";
import type { FileHandle } from "../../vfs/vfs.ts";
import { MemoryFile } from "./fuse-memory-file.ts";

interface Dentry {
  readonly ino: Ino;
  /** Cookies grow with time, so a listing goes on where it was while names come and go. */
  readonly cookie: number;
}

export interface MemoryNode {
  readonly ino: Ino;
  mode: number;
  nlink: number;
  uid: number;
  gid: number;
  readonly rdev: number;
  atime: Timespec;
  mtime: Timespec;
  ctime: Timespec;
  readonly file: MemoryFile;
  readonly entries: Map<Name, Dentry>;
  parent: Ino;
  target: string;
  readonly xattrs: Map<string, Uint8Array>;
  openCount: number;
  /** References of the kernel. */
  lookups: number;
}

export function wallTime(): Timespec {
  const ms = Date.now();
  const ns = Number(process.hrtime.bigint() % 1_000_000n);
  return { sec: Math.floor(ms / 1000), nsec: (ms % 1000) * 1_000_000 + ns };
}

export function attrOf(node: MemoryNode): Attr {
  return {
    ino: node.ino,
    mode: node.mode,
    nlink: node.nlink,
    uid: node.uid,
    gid: node.gid,
    rdev: node.rdev,
    sizeBytes: node.target === "" ? node.file.sizeBytes : node.target.length,
    allocatedBytes: node.file.allocatedBytes,
    atimeSec: node.atime.sec,
    atimeNsec: node.atime.nsec,
    mtimeSec: node.mtime.sec,
    mtimeNsec: node.mtime.nsec,
    ctimeSec: node.ctime.sec,
    ctimeNsec: node.ctime.nsec,
  };
}

export class MemoryTree {
  readonly #nodes = new Map<Ino, MemoryNode>();
  readonly #handles = new Map<FileHandle, { node: MemoryNode; writable: boolean }>();
  #nextIno: number = ROOT_INO;
  #nextHandle = 1;
  /** 1 and 2 are those of "." and "..". */
  #nextCookie = 3;

  constructor() {
    const root = this.newNode({ uid: 0, gid: 0 }, S_IFDIR | 0o755, 0);
    root.parent = ROOT_INO;
  }

  get nodes(): Iterable<MemoryNode> {
    return this.#nodes.values();
  }

  get inodeCount(): number {
    return this.#nodes.size;
  }

  get handleCount(): number {
    return this.#handles.size;
  }

  /** @throws FsError ESTALE */
  node(ino: Ino): MemoryNode {
    const node = this.#nodes.get(ino);
    if (node === undefined) throw new FsError("ESTALE", `no inode ${ino}`);
    return node;
  }

  /** @throws FsError ENOTDIR */
  directory(ino: Ino): MemoryNode {
    const node = this.node(ino);
    if (!isDirectory(node.mode)) throw new FsError("ENOTDIR", "not a directory");
    return node;
  }

  /** @throws FsError ENOENT */
  child(directory: MemoryNode, name: Name): MemoryNode {
    const dentry = directory.entries.get(name);
    if (dentry === undefined) throw new FsError("ENOENT", "no such name");
    return this.node(dentry.ino);
  }

  newNode(owner: Caller, mode: number, rdev: number): MemoryNode {
    const time = wallTime();
    const node: MemoryNode = {
      ino: this.#nextIno++ as Ino,
      mode,
      nlink: isDirectory(mode) ? 2 : 1,
      uid: owner.uid,
      gid: owner.gid,
      rdev,
      atime: time,
      mtime: time,
      ctime: time,
      file: new MemoryFile(),
      entries: new Map(),
      parent: ROOT_INO,
      target: "",
      xattrs: new Map(),
      openCount: 0,
      lookups: 0,
    };
    this.#nodes.set(node.ino, node);
    return node;
  }

  /** Whether `node` is `directory` or somewhere above it. */
  isAbove(node: MemoryNode, directory: MemoryNode): boolean {
    for (let at = directory; ; at = this.node(at.parent)) {
      if (at === node) return true;
      if (at.ino === ROOT_INO) return false;
    }
  }

  /** Gives `node` a name that is free. */
  addName(directory: MemoryNode, name: Name, node: MemoryNode): void {
    if (directory.entries.has(name)) throw new FsError("EEXIST", "exists");
    directory.entries.set(name, { ino: node.ino, cookie: this.#nextCookie++ });
    if (isDirectory(node.mode)) {
      node.parent = directory.ino;
      directory.nlink++;
    }
    directory.mtime = directory.ctime = wallTime();
  }

  /** Takes a name away; the inode stays. */
  removeName(directory: MemoryNode, name: Name): MemoryNode {
    const node = this.child(directory, name);
    directory.entries.delete(name);
    if (isDirectory(node.mode)) directory.nlink--;
    directory.mtime = directory.ctime = wallTime();
    return node;
  }

  /** The name that was taken away was one of its links. */
  dropLink(node: MemoryNode): void {
    node.nlink = isDirectory(node.mode) ? 0 : node.nlink - 1;
    node.ctime = wallTime();
    this.reap(node);
  }

  /** Ends an inode that has no name, no handle and no reference any more. */
  reap(node: MemoryNode): void {
    if (node.nlink === 0 && node.openCount === 0 && node.lookups === 0) {
      this.#nodes.delete(node.ino);
    }
  }

  /** @throws FsError EBADF */
  opened(fh: FileHandle): MemoryNode {
    const handle = this.#handles.get(fh);
    if (handle === undefined) throw new FsError("EBADF", `no handle ${fh}`);
    return handle.node;
  }

  /** @throws FsError EBADF */
  openedToWrite(fh: FileHandle): MemoryNode {
    const node = this.opened(fh);
    if (this.#handles.get(fh)?.writable !== true) throw new FsError("EBADF", "opened to read");
    return node;
  }

  openHandle(node: MemoryNode, writable: boolean): FileHandle {
    const fh = this.#nextHandle++;
    this.#handles.set(fh, { node, writable });
    node.openCount++;
    return fh;
  }

  closeHandle(fh: FileHandle): void {
    const node = this.opened(fh);
    this.#handles.delete(fh);
    node.openCount--;
    this.reap(node);
  }
}
