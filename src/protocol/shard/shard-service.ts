// Contract of one storage node: immutable shards with a checksum a cell.
// Implemented by the node's store, the HTTP client and the fault wrapper.
import type { NodeId, PoolId, ShardId } from "../../domain/ids.ts";
import type { CodingPolicy } from "../../domain/layout.ts";

/**
 * A shard's bytes with the sealed checksum of each CELL_BYTES cell, as the writer computed them.
 */
export interface ShardPayload {
  /** Length is a multiple of 8 (the shard size of the block). */
  bytes: Uint8Array;
  /** Sealed (codec/cell-seal.ts): they belong to this shard of this cluster alone. */
  cellCrcs: Uint32Array;
}

/**
 * Which shards a node reads and compares with their checksums before it calls them secure. every:
 * all. unseen: what it has neither received nor compared in this start, as an fsync asks.
 * unflushed: what no start of it has noted to be on disk; the others need only stand, in full size.
 */
export const SECURE_DEPTHS = ["every", "unseen", "unflushed"] as const;
export type SecureDepth = (typeof SECURE_DEPTHS)[number];

export interface ShardInfo {
  id: ShardId;
  sizeBytes: number;
}

/**
 * A run of whole cells of a shard; crcs are those kept with the shard, sealed, for the reader to
 * verify.
 */
export interface ShardSlab {
  /** Size of the whole shard. */
  sizeBytes: number;
  /** As many bytes as were asked for and exist, in the target given, from its start. */
  bytes: Uint8Array;
  cellCrcs: Uint32Array;
}

export interface NodeStats {
  shards: number;
  usedBytes: number;
  /** What the disk (or --capacity) allows this node to hold. */
  capacityBytes: number;
  quarantined: number;
  /** In the trash; not among the shards above. */
  parked: number;
  parkedBytes: number;
}

/** Where a node fetches from when it rebuilds or takes over a shard. */
export interface ShardSource {
  slot: number;
  url: string;
  /** Who must answer there. */
  node: NodeId;
}

export interface RebuildRequest {
  id: ShardId;
  policy: CodingPolicy;
  /** A source with the same slot is copied; otherwise any k others are decoded. */
  sources: readonly ShardSource[];
}

/**
 * secure: there whole, and on disk after a power cut. spoilt: it was not what it should be, and is
 * set aside now. missing: the node has no such shard.
 */
export type ShardVerdict = "secure" | "spoilt" | "missing";

export interface ShardPage {
  shards: ShardInfo[];
  /** Give this to go on; absent at the end. */
  next?: string;
}

/**
 * Every method rejects with FsError: ENOENT unknown shard; EBADMSG checksum wrong (on put: refused;
 * on get: the shard is now quarantined); ENOSPC disk full; EEXIST other bytes stand under the id;
 * EINVAL malformed; ETIMEDOUT or ECONNREFUSED node not answering, or another answering in its
 * place; EIO anything else.
 */
export interface ShardService {
  /** Idempotent. Answers when the shard is written (survives the process, not a power cut). */
  put(id: ShardId, payload: ShardPayload, signal?: AbortSignal): Promise<void>;
  /**
   * Reads [offsetBytes, offsetBytes + target.length), clipped to the shard, into `target`.
   * offsetBytes is a multiple of CELL_BYTES; the end is one too, or the shard's end.
   * Once the promise has settled `target` is not touched again, and an abort settles it at once:
   * readers reuse their buffers.
   */
  get(
    id: ShardId,
    offsetBytes: number,
    target: Uint8Array,
    signal?: AbortSignal,
  ): Promise<ShardSlab>;
  head(id: ShardId, signal?: AbortSignal): Promise<ShardInfo>;
  /** Which of `ids` the node has (undefined: it hasn't), in order. */
  headMany(ids: readonly ShardId[], signal?: AbortSignal): Promise<(ShardInfo | undefined)[]>;
  /**
   * For shards whose death somebody has recorded: they go for good, also out of the trash. Unknown
   * ones are no error.
   */
  deleteMany(ids: readonly ShardId[], signal?: AbortSignal): Promise<void>;
  /**
   * For shards that are garbage by inference: they move to the node's trash, where nobody finds
   * them but `unpark`, and are deleted after a while. Unknown ones are no error.
   */
  park(ids: readonly ShardId[], signal?: AbortSignal): Promise<void>;
  /** Takes shards out of the trash. Of each, in order: whether it stands now. */
  unpark(ids: readonly ShardId[], signal?: AbortSignal): Promise<boolean[]>;
  /** Shards of a placement group in the order of (slice, index, slot). */
  list(pool: PoolId, pg: number, cursor?: string, signal?: AbortSignal): Promise<ShardPage>;
  /** Placement groups this node holds shards of, as [pool, pg] pairs, ascending. */
  groups(signal?: AbortSignal): Promise<[PoolId, number][]>;
  /** Brings shards to disk and says of each what became of it, in order. */
  secure(
    ids: readonly ShardId[],
    depth: SecureDepth,
    signal?: AbortSignal,
  ): Promise<ShardVerdict[]>;
  /** Fetches or decodes the shard from its peers and keeps it. */
  rebuild(request: RebuildRequest, signal?: AbortSignal): Promise<ShardInfo>;
  stats(signal?: AbortSignal): Promise<NodeStats>;
}
