// The namespace: MetaService's operations as synchronous functions of a transaction. The files
// beside this one do the work; here is the list, and the clock.
import { S_IFDIR, type Attr, type AttrChanges } from "../../domain/attributes.ts";
import { isDirectory, type Caller, type Timespec } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import { DEFAULT_POOL, ROOT_INO } from "../../domain/ids.ts";
import type { Ino, Name, SessionId, SliceId } from "../../domain/ids.ts";
import type { Clock } from "../../platform/clock.ts";
import type {
  ChunkExtents,
  CommitRequest,
  CreateReply,
  CreateRequest,
  DataRun,
  DirPage,
  ExtentCommit,
  OpenAccess,
  OpenReply,
  RangeChange,
  RangeCopy,
  RangeReply,
} from "../../protocol/meta/meta-service.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import { attrOf, type Inode } from "../schema/inode.ts";
import type { DeadSlice } from "../schema/slice.ts";
import { changeAttributes } from "./change-attributes.ts";
import { commitExtents, extentsOf } from "./data.ts";
import { requireDentry } from "./dentries.ts";
import * as entries from "./entries.ts";
import * as handles from "./open-inodes.ts";
import {
  DIRECTORY_SIZE_BYTES,
  isFormatted,
  loadDirectory,
  loadInode,
  loadTotals,
  saveInode,
  saveTotals,
} from "./inodes.ts";
import { listDirectory } from "./listing.ts";
import { MAY_EXECUTE, MAY_READ, mayAccess, requireAccess } from "./permission.ts";
import * as ranges from "./ranges.ts";
import { reapStep } from "./reaper.ts";
import { renameEntry } from "./rename.ts";
import * as slices from "./slices.ts";
import * as xattrs from "./xattrs.ts";

export interface NamespaceOptions {
  clock: Clock;
}

/**
 * Every method is one step of a transaction and throws FsError with the operation's POSIX errno
 * before it has written anything. Arguments and meanings are those of MetaService.
 */
export class Namespace {
  readonly #clock: Clock;

  constructor({ clock }: NamespaceOptions) {
    this.#clock = clock;
  }

  /** Makes the root directory and the counters, once. */
  format(tx: Transaction): void {
    if (isFormatted(tx)) return;
    const { sec, nsec } = this.#now();
    saveTotals(tx, { nextId: ROOT_INO + 1, inodes: 1, bytes: 0 });
    saveInode(tx, {
      ino: ROOT_INO,
      mode: S_IFDIR | 0o755,
      nlink: 2,
      uid: 0,
      gid: 0,
      rdev: 0,
      sizeBytes: DIRECTORY_SIZE_BYTES,
      allocatedBytes: 0,
      atimeSec: sec,
      atimeNsec: nsec,
      mtimeSec: sec,
      mtimeNsec: nsec,
      ctimeSec: sec,
      ctimeNsec: nsec,
      parent: ROOT_INO,
      data: ROOT_INO,
      pool: DEFAULT_POOL,
      opens: 0,
      xattrListBytes: 0,
      acls: 0,
    });
  }

  lookup(tx: ReadTransaction, caller: Caller, parent: Ino, name: Name): Attr {
    const directory = loadDirectory(tx, parent);
    requireAccess(caller, directory, MAY_EXECUTE);
    if (name === ".") return attrOf(directory);
    if (name === "..") return attrOf(loadInode(tx, directory.parent));
    return attrOf(loadInode(tx, requireDentry(tx, parent, name).ino));
  }

  getattr(tx: ReadTransaction, ino: Ino): Attr {
    return attrOf(loadInode(tx, ino));
  }

  setattr(
    tx: Transaction,
    caller: Caller,
    ino: Ino,
    changes: AttrChanges,
    handleOpen: boolean,
  ): Attr {
    return attrOf(changeAttributes(tx, caller, ino, changes, handleOpen, this.#now()));
  }

  create(
    tx: Transaction,
    session: SessionId,
    caller: Caller,
    parent: Ino,
    name: Name,
    request: CreateRequest,
    exclusive: boolean,
  ): CreateReply {
    const entry = this.#entry(caller, parent, name);
    const { inode, created } = entries.createFile(tx, entry, request, exclusive);
    handles.holdOpen(tx, session, inode);
    return { ...handles.openReply(tx, inode), created };
  }

  createUnnamed(
    tx: Transaction,
    session: SessionId,
    caller: Caller,
    parent: Ino,
    mode: number,
  ): OpenReply {
    const inode = entries.makeUnnamed(tx, { caller, parent, now: this.#now() }, mode);
    handles.holdOpen(tx, session, inode);
    return handles.openReply(tx, inode);
  }

  mkdir(tx: Transaction, caller: Caller, parent: Ino, name: Name, mode: number): Attr {
    return attrOf(entries.makeDirectory(tx, this.#entry(caller, parent, name), mode));
  }

  mknod(tx: Transaction, caller: Caller, parent: Ino, name: Name, request: CreateRequest): Attr {
    return attrOf(entries.makeNode(tx, this.#entry(caller, parent, name), request));
  }

  symlink(tx: Transaction, caller: Caller, parent: Ino, name: Name, target: string): Attr {
    return attrOf(entries.makeSymlink(tx, this.#entry(caller, parent, name), target));
  }

  readlink(tx: ReadTransaction, _caller: Caller, ino: Ino): string {
    return entries.readSymlink(tx, ino);
  }

  link(tx: Transaction, caller: Caller, ino: Ino, parent: Ino, name: Name): Attr {
    return attrOf(entries.linkInode(tx, this.#entry(caller, parent, name), ino));
  }

  unlink(tx: Transaction, caller: Caller, parent: Ino, name: Name): void {
    entries.unlinkEntry(tx, this.#entry(caller, parent, name));
  }

  rmdir(tx: Transaction, caller: Caller, parent: Ino, name: Name): void {
    entries.removeDirectory(tx, this.#entry(caller, parent, name));
  }

  rename(
    tx: Transaction,
    caller: Caller,
    parent: Ino,
    name: Name,
    newParent: Ino,
    newName: Name,
    flags: number,
  ): void {
    const now = this.#now();
    renameEntry(tx, { caller, parent, name, newParent, newName, flags, now });
  }

  readdir(
    tx: ReadTransaction,
    caller: Caller,
    ino: Ino,
    cursor: number,
    limit: number,
    withAttrs: boolean,
  ): DirPage {
    const directory = loadDirectory(tx, ino);
    requireAccess(caller, directory, MAY_READ);
    const searchable = mayAccess(caller, directory, MAY_EXECUTE);
    return listDirectory(tx, ino, cursor, limit, withAttrs && searchable);
  }

  parentOf(tx: ReadTransaction, ino: Ino): Ino {
    const inode = loadInode(tx, ino);
    if (!isDirectory(inode.mode)) throw new FsError("ENOTDIR", `inode ${ino} is no directory`);
    return inode.parent;
  }

  open(
    tx: Transaction,
    session: SessionId,
    caller: Caller,
    ino: Ino,
    access: OpenAccess,
  ): OpenReply {
    const inode = handles.openInode(tx, session, caller, ino, access, this.#now());
    return handles.openReply(tx, inode);
  }

  release(tx: Transaction, session: SessionId, inos: readonly Ino[]): void {
    for (const ino of inos) handles.releaseInode(tx, session, ino);
  }

  /**
   * Releases what a dead session holds open, a bounded part a call; true when all is done. The
   * session's own records are not touched.
   */
  closeSession(tx: Transaction, session: SessionId): boolean {
    return handles.closeSessionOpens(tx, session);
  }

  extents(tx: ReadTransaction, ino: Ino, chunks: readonly number[]): ChunkExtents[] {
    return extentsOf(tx, this.#regular(tx, ino), chunks);
  }

  commit(tx: Transaction, request: CommitRequest): Attr {
    return attrOf(commitExtents(tx, request, this.#now()));
  }

  nextData(tx: ReadTransaction, ino: Ino, offset: number): DataRun {
    return ranges.nextData(tx, this.#regular(tx, ino), offset);
  }

  changeRange(tx: Transaction, request: RangeChange): RangeReply {
    return ranges.changeRange(tx, request, this.#now());
  }

  copyRange(tx: Transaction, request: RangeCopy): RangeReply {
    return ranges.copyRange(tx, request, this.#now());
  }

  /** For a commit that was refused: its slices go to gc. */
  abandon(tx: Transaction, refused: readonly ExtentCommit[]): void {
    for (const extent of refused) slices.abandonSlice(tx, extent);
  }

  getxattr(tx: ReadTransaction, caller: Caller, ino: Ino, name: string): Uint8Array {
    return xattrs.getXattr(tx, caller, ino, name);
  }

  setxattr(
    tx: Transaction,
    caller: Caller,
    ino: Ino,
    name: string,
    value: Uint8Array,
    flags: number,
  ): void {
    xattrs.setXattr(tx, caller, ino, name, value, flags, this.#now());
  }

  listxattr(tx: ReadTransaction, caller: Caller, ino: Ino): string[] {
    return xattrs.listXattrs(tx, caller, ino);
  }

  removexattr(tx: Transaction, caller: Caller, ino: Ino, name: string): void {
    xattrs.removeXattr(tx, caller, ino, name, this.#now());
  }

  /**
   * Deletes up to `limit` extents and xattrs of deleted inodes and cut-off content; slices that
   * nothing cites any more join the dead ones. Returns how much was done, 0 when nothing waits.
   */
  reap(tx: Transaction, limit: number): number {
    return reapStep(tx, limit);
  }

  /** Slices whose shards may be deleted, at most `limit`. */
  deadSlices(tx: ReadTransaction, limit: number): DeadSlice[] {
    return slices.deadSlices(tx, limit);
  }

  /** Their shards are deleted. */
  forgetSlices(tx: Transaction, ids: readonly SliceId[]): void {
    slices.forgetSlices(tx, ids);
  }

  /** True while an extent cites the slice. */
  sliceExists(tx: ReadTransaction, id: SliceId): boolean {
    return slices.sliceExists(tx, id);
  }

  /** Inodes, and bytes of file content they map. */
  usage(tx: ReadTransaction): { inodes: number; bytes: number } {
    const { inodes, bytes } = loadTotals(tx);
    return { inodes, bytes };
  }

  #now(): Timespec {
    const ns = this.#clock.nowNs();
    const sec = ns / 1_000_000_000n;
    return { sec: Number(sec), nsec: Number(ns - sec * 1_000_000_000n) };
  }

  #entry(caller: Caller, parent: Ino, name: Name): entries.NewEntry {
    return { caller, parent, name, now: this.#now() };
  }

  #regular(tx: ReadTransaction, ino: Ino): Inode {
    const inode = loadInode(tx, ino);
    entries.requireRegular(inode);
    return inode;
  }
}
