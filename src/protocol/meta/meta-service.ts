// Contract between a client session and the metadata server: the namespace, by inode.
// Implemented by the server (per session), the RPC proxy and the fault wrapper.
import type { Attr, AttrChanges, Caller, StatFs, Timespec } from "../../domain/attributes.ts";
import type { MapHistory } from "../../domain/cluster-map.ts";
import type { FsError } from "../../domain/errno.ts";
import type { LockOwner, LockRange, LockSpace, LockType } from "../../domain/file-lock.ts";
import type { Epoch, Ino, Name, NodeId, PoolId, ShardId, SliceId } from "../../domain/ids.ts";
import type { Extent } from "../../domain/layout.ts";

/** rename(2) flags (linux/fs.h). */
export const RENAME_NOREPLACE = 1;
export const RENAME_EXCHANGE = 2;

export interface CreateRequest {
  /**
   * Type and permission bits; the caller's umask is still to be taken off. Regular files only for
   * create.
   */
  mode: number;
  rdev?: number;
}

export interface OpenReply {
  attr: Attr;
  /** Extents of the file's first chunk, so that opening and reading a small file is one request. */
  firstChunk: ChunkExtents;
  /** Pool that new slices of this file belong to. */
  pool: PoolId;
}

export interface CreateReply extends OpenReply {
  /** False when the name existed and was opened instead. */
  created: boolean;
}

export interface DirEntry {
  name: Name;
  ino: Ino;
  /** Only the type bits mean something unless attr is there. */
  mode: number;
  /** Give this as `cursor` to go on after the entry; never 0. Stable while entries come and go. */
  cookie: number;
  attr?: Attr;
}

export interface DirPage {
  entries: DirEntry[];
  /** False at the end of the directory. */
  more: boolean;
  /** The directory's own. */
  attr: Attr;
  /** What ".." is. */
  parent: Ino;
}

export interface ChunkExtents {
  chunk: number;
  /** Overlay order: later ones win. Bytes in none are a hole. */
  extents: Extent[];
}

/** New bytes of a file: a slice whose stripes stand on the nodes, or inline bytes. */
export interface ExtentCommit {
  chunk: number;
  posInChunk: number;
  lengthBytes: number;
  slice: SliceId;
  pool: PoolId;
  /** The bytes, at most MAX_INLINE_BYTES, when they have no stripes. */
  inline?: Uint8Array;
  /** Of the oldest map by which any of its stripes was placed. */
  epoch?: Epoch;
}

/** A setattr that comes with a commit. */
export interface AttrRequest {
  caller: Caller;
  /** No length among them. */
  changes: AttrChanges;
  handleOpen: boolean;
}

export interface CommitRequest {
  ino: Ino;
  /** In write order. Each brings a slice of its own, offset 0, whole length. */
  extents: ExtentCommit[];
  /** The file is at least this long afterwards. */
  minSizeBytes: number;
  mtime: Timespec;
  /** Clear suid/sgid, as a write by other than root does. */
  killPrivileges: boolean;
  /** Its slices' blocks are on disk; answer only when the commit is, too (fsync). */
  durable: boolean;
  /** What the file's attributes become behind it, in the same transaction. */
  setattr?: AttrRequest;
}

export interface CommitReply {
  attr: Attr;
  /** Why nothing was done of `setattr`. The commit stands. */
  refused?: FsError;
  /** The file may cite slices that aren't settled. */
  unsettled: boolean;
}

/** A slice, by a file that cites it. */
export interface SlicePlace {
  ino: Ino;
  slice: SliceId;
}

/** A slice with blocks on the nodes of which nobody has shown yet that they are on disk. */
export interface UnsettledSlice extends SlicePlace {
  pool: PoolId;
  storedBytes: number;
}

export interface UnsettledPage {
  slices: UnsettledSlice[];
  /** What comes behind it was not looked at; absent at the end. */
  next?: SlicePlace;
}

export interface RenameReply {
  /**
   * Nothing was done: this inode has unsettled slices, and the name that it would take has a file.
   * Have them on disk first (syncFile), then ask again.
   */
  unsettled?: Ino;
}

/**
 * Bytes [from, to) of a file have extents; none at or after the place asked for where from is to.
 */
export interface DataRun {
  from: number;
  /** Where the search ended, too: directly behind it there may be more. */
  to: number;
  /** The file's length. */
  sizeBytes: number;
}

/** fallocate(2) of one range. */
export interface RangeChange {
  ino: Ino;
  offset: number;
  lengthBytes: number;
  /** What the file has there becomes a hole. */
  clear: boolean;
  /** The file is at least so long that the range ends in it. */
  extend: boolean;
  /** Clear suid/sgid, as a write by other than root does. */
  killPrivileges: boolean;
}

/** copy_file_range(2): the target cites the source's slices; no byte moves. */
export interface RangeCopy {
  source: Ino;
  sourceOffset: number;
  target: Ino;
  targetOffset: number;
  lengthBytes: number;
  killPrivileges: boolean;
}

/** One bounded step of a change of a range. */
export interface RangeReply {
  /** Of the file that was changed. */
  attr: Attr;
  /** So much from the range's start is done; fewer than asked for: ask for the rest. */
  doneBytes: number;
}

export interface SliceRange {
  first: SliceId;
  count: number;
}

/** A lock somebody asks about. */
export interface LockQuery extends LockRange {
  ino: Ino;
  space: LockSpace;
  owner: LockOwner;
  type: LockType;
}

/** A lock that stands against a query. */
export interface LockConflict extends LockRange {
  type: LockType;
  /** Process that holds it; 0 where it is another client's. */
  pid: number;
}

export interface LockRequest extends Omit<LockQuery, "type"> {
  type: LockType | "unlock";
  /** Process that asks, to be named in a LockConflict. */
  pid: number;
  /** 0: don't wait. Else the client's number for this wait, the same whenever it asks again. */
  wait: number;
}

export interface LockReply {
  /** False: it waits. After `lockReady`, `resumed` or `sessionLost` ask again. */
  granted: boolean;
  /** Of the inode when the lock was granted, to tell whether what is cached is still good. */
  attr?: Attr;
}

/** Something a client met that repair must look at. */
export interface DamageReport {
  shard: ShardId;
  /**
   * misplaced: written to `node` instead of its home. missing / corrupt: `node` hasn't or spoils
   * it.
   */
  kind: "misplaced" | "missing" | "corrupt";
  node: NodeId;
}

/** What the server may tell a session at any time (rows in meta-pushes.ts). */
export interface MetaPushes {
  mapChanged: MapHistory;
  /** The lock of this wait was granted. Asking again tells so, too. */
  lockReady: number;
  /** All that was acknowledged up to this position of the server's store is on disk. */
  durable: number;
}

/** A change that was acknowledged, forgotten by the server, and could not be done again. */
export interface LostChange {
  readonly operation: keyof MetaService;
  /** What it was about: what it changed or made, and the directories of the names it changed. */
  readonly inos: readonly Ino[];
  readonly error: FsError;
}

/** What a client's end of a session finds out by itself. */
interface SessionEvents {
  /**
   * The server's store began anew, perhaps behind what it had acknowledged: nothing that it said
   * before can be believed. What it forgot of this session's changes was done again, but for
   * `lost`.
   */
  rolledBack: (lost: readonly LostChange[]) => void;
  /** The session is dead on the server: its open inodes must be opened again. */
  sessionLost: () => void;
  /** The connection was lost and is there again; waits for locks must be asked for again. */
  resumed: () => void;
}

export type MetaEvents = SessionEvents & {
  readonly [P in Exclude<keyof MetaPushes, "durable">]: (value: MetaPushes[P]) => void;
};

/**
 * Every method rejects with FsError: the POSIX errno of the operation; EIO for a broken server;
 * ETIMEDOUT when the server could not be reached within the client's patience.
 * `caller` is whom permission is checked for. Each is atomic: one transaction.
 */
export interface MetaService {
  lookup(caller: Caller, parent: Ino, name: Name): Promise<Attr>;
  getattr(ino: Ino): Promise<Attr>;
  /** `handleOpen`: the caller holds a writable handle, which is right enough to truncate. */
  setattr(caller: Caller, ino: Ino, changes: AttrChanges, handleOpen: boolean): Promise<Attr>;
  /**
   * Opens an existing regular file unless `exclusive` (then EEXIST); the caller must be allowed to
   * read and write it. The session holds it open.
   */
  create(
    caller: Caller,
    parent: Ino,
    name: Name,
    request: CreateRequest,
    exclusive: boolean,
  ): Promise<CreateReply>;
  /** A regular file without a name, held open by the session; `link` may name it (O_TMPFILE). */
  createUnnamed(caller: Caller, parent: Ino, mode: number): Promise<OpenReply>;
  mkdir(caller: Caller, parent: Ino, name: Name, mode: number): Promise<Attr>;
  mknod(caller: Caller, parent: Ino, name: Name, request: CreateRequest): Promise<Attr>;
  symlink(caller: Caller, parent: Ino, name: Name, target: string): Promise<Attr>;
  /** Target bytes as latin1. */
  readlink(caller: Caller, ino: Ino): Promise<string>;
  link(caller: Caller, ino: Ino, parent: Ino, name: Name): Promise<Attr>;
  unlink(caller: Caller, parent: Ino, name: Name): Promise<void>;
  rmdir(caller: Caller, parent: Ino, name: Name): Promise<void>;
  /** `synced`: the inode that the caller has made durable, since it was told to. */
  rename(
    caller: Caller,
    parent: Ino,
    name: Name,
    newParent: Ino,
    newName: Name,
    flags: number,
    synced?: Ino,
  ): Promise<RenameReply>;
  /**
   * Entries after `cursor` (0: from the start, "." and ".." not among them), `withAttrs` for
   * readdirplus.
   */
  readdir(
    caller: Caller,
    ino: Ino,
    cursor: number,
    limit: number,
    withAttrs: boolean,
  ): Promise<DirPage>;

  /** The session holds the inode open until `release`, unlinked or not. Counts. */
  open(caller: Caller, ino: Ino, access: OpenAccess): Promise<OpenReply>;
  release(inos: readonly Ino[]): Promise<void>;

  extents(ino: Ino, chunks: readonly number[]): Promise<ChunkExtents[]>;
  commit(request: CommitRequest): Promise<CommitReply>;
  /**
   * Slices that the session gives up: what they have on the nodes is garbage, unless they were
   * committed.
   */
  abandon(slices: readonly ExtentCommit[]): Promise<void>;
  /** The next bytes at or after `offset` that have extents. */
  nextData(ino: Ino, offset: number): Promise<DataRun>;
  /** A step; several make the whole range. */
  changeRange(request: RangeChange): Promise<RangeReply>;
  /** A step; ends at the source's end. EINVAL where the ranges of one file overlap. */
  copyRange(request: RangeCopy): Promise<RangeReply>;
  allocateSlices(): Promise<SliceRange>;
  /** Answers when all that was acknowledged before is on disk. */
  syncMetadata(): Promise<void>;
  /** The same, with the file's unsettled slices behind `after` (0: from the first). */
  syncFile(ino: Ino, after: SliceId): Promise<UnsettledPage>;
  /** The same, with the unsettled slices that this session committed or copied. */
  syncSession(after: SlicePlace | undefined): Promise<UnsettledPage>;
  /** The slices' blocks are on disk; which file named them makes no difference. */
  settle(slices: readonly SlicePlace[]): Promise<void>;

  /**
   * Attribute names and values are bytes; names as latin1. flags: XATTR_CREATE 1, XATTR_REPLACE 2.
   */
  getxattr(caller: Caller, ino: Ino, name: string): Promise<Uint8Array>;
  setxattr(caller: Caller, ino: Ino, name: string, value: Uint8Array, flags: number): Promise<Attr>;
  listxattr(caller: Caller, ino: Ino): Promise<string[]>;
  removexattr(caller: Caller, ino: Ino, name: string): Promise<Attr>;
  statfs(): Promise<StatFs>;

  /** What stands against the lock, if anything does. */
  getlk(query: LockQuery): Promise<LockConflict | undefined>;
  /**
   * Locks or unlocks a range, splitting and merging the owner's locks as POSIX says. Asking again
   * for what one holds changes nothing. Waiting takes no request: it is answered at once.
   * @throws FsError EAGAIN (held by others), EDEADLK, ENOLCK
   */
  setlk(request: LockRequest): Promise<LockReply>;
  /** Ends a wait that was answered with "waits". True: too late, the lock was granted. */
  cancelLock(request: LockRequest): Promise<boolean>;

  maps(): Promise<MapHistory>;
  reportDamage(reports: readonly DamageReport[]): Promise<void>;
}

export interface OpenAccess {
  read: boolean;
  write: boolean;
  truncate: boolean;
  /** A kernel opens it to run it: the right to execute is wanted in place of the right to read. */
  execute?: boolean;
}

/** A client's end of a session: the service plus what the server pushes. */
export interface MetaSession extends MetaService, AsyncDisposable {
  /** Whose it is: the same for as long as the session is used. */
  readonly clusterId: string;
  on<K extends keyof MetaEvents>(event: K, listener: MetaEvents[K]): void;
  /** Ends the session properly: its open inodes are released at once. */
  close(): Promise<void>;
}
