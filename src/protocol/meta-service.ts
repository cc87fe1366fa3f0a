// Contract between a client session and the metadata server: the namespace, by inode.
// Implemented by the server (per session), the RPC proxy and the fault wrapper.
import type { Attr, AttrChanges, Caller, StatFs, Timespec } from "../domain/attributes.ts";
import type { MapHistory } from "../domain/cluster-map.ts";
import type { Ino, Name, NodeId, PoolId, ShardId, SliceId } from "../domain/ids.ts";
import type { Extent } from "../domain/layout.ts";

/** rename(2) flags (linux/fs.h). */
export const RENAME_NOREPLACE = 1;
export const RENAME_EXCHANGE = 2;

export interface CreateRequest {
  /** Type and permission bits; the umask is already taken off. Regular files only for create. */
  mode: number;
  rdev?: number;
  /** What create wants of a file that exists already; checked then. Reading and writing if absent. */
  access?: Pick<OpenAccess, "read" | "write">;
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
  /** Answer only when it is on disk (fsync). */
  durable: boolean;
}

export interface SliceRange {
  first: SliceId;
  count: number;
}

/** Something a client met that repair must look at. */
export interface DamageReport {
  shard: ShardId;
  /** misplaced: written to `node` instead of its home. missing / corrupt: `node` hasn't or spoils it. */
  kind: "misplaced" | "missing" | "corrupt";
  node: NodeId;
}

/** What the server may tell a session at any time. */
export interface MetaEvents {
  mapChanged: (maps: MapHistory) => void;
  /** The session is dead on the server: its open inodes must be opened again. */
  sessionLost: () => void;
}

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
  /** Opens an existing regular file unless `exclusive` (then EEXIST). The session holds it open. */
  create(
    caller: Caller,
    parent: Ino,
    name: Name,
    request: CreateRequest,
    exclusive: boolean,
  ): Promise<CreateReply>;
  mkdir(caller: Caller, parent: Ino, name: Name, mode: number): Promise<Attr>;
  mknod(caller: Caller, parent: Ino, name: Name, request: CreateRequest): Promise<Attr>;
  symlink(caller: Caller, parent: Ino, name: Name, target: string): Promise<Attr>;
  /** Target bytes as latin1. */
  readlink(caller: Caller, ino: Ino): Promise<string>;
  link(caller: Caller, ino: Ino, parent: Ino, name: Name): Promise<Attr>;
  unlink(caller: Caller, parent: Ino, name: Name): Promise<void>;
  rmdir(caller: Caller, parent: Ino, name: Name): Promise<void>;
  rename(
    caller: Caller,
    parent: Ino,
    name: Name,
    newParent: Ino,
    newName: Name,
    flags: number,
  ): Promise<void>;
  /** Entries after `cursor` (0: from the start, "." and ".." not among them), `withAttrs` for readdirplus. */
  readdir(
    caller: Caller,
    ino: Ino,
    cursor: number,
    limit: number,
    withAttrs: boolean,
  ): Promise<DirPage>;
  /** Parent of a directory, for "..". */
  parentOf(ino: Ino): Promise<Ino>;

  /** The session holds the inode open until `release`, unlinked or not. Counts. */
  open(caller: Caller, ino: Ino, access: OpenAccess): Promise<OpenReply>;
  release(inos: readonly Ino[]): Promise<void>;

  extents(ino: Ino, chunks: readonly number[]): Promise<ChunkExtents[]>;
  commit(request: CommitRequest): Promise<Attr>;
  allocateSlices(): Promise<SliceRange>;
  /** Answers when all that was acknowledged before is on disk. */
  syncMetadata(): Promise<void>;

  /** Attribute names and values are bytes; names as latin1. flags: XATTR_CREATE 1, XATTR_REPLACE 2. */
  getxattr(caller: Caller, ino: Ino, name: string): Promise<Uint8Array>;
  setxattr(caller: Caller, ino: Ino, name: string, value: Uint8Array, flags: number): Promise<void>;
  listxattr(caller: Caller, ino: Ino): Promise<string[]>;
  removexattr(caller: Caller, ino: Ino, name: string): Promise<void>;
  statfs(): Promise<StatFs>;

  maps(): Promise<MapHistory>;
  reportDamage(reports: readonly DamageReport[]): Promise<void>;
}

export interface OpenAccess {
  read: boolean;
  write: boolean;
  truncate: boolean;
}

/** A client's end of a session: the service plus what the server pushes. */
export interface MetaSession extends MetaService, AsyncDisposable {
  on<K extends keyof MetaEvents>(event: K, listener: MetaEvents[K]): void;
  /** Ends the session properly: its open inodes are released at once. */
  close(): Promise<void>;
}
