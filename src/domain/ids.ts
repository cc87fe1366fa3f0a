// Branded identifiers. All numbers are non-negative safe integers, stored in 64 bits.

declare const brand: unique symbol;
type Brand<T, B extends string> = T & { readonly [brand]: B };

/** Inode number; the root directory is 1, 0 is never used. */
export type Ino = Brand<number, "Ino">;
/** Names one immutable slice for ever; never issued twice. */
export type SliceId = Brand<number, "SliceId">;
/** Version of the cluster map. */
export type Epoch = Brand<number, "Epoch">;
/** A storage node's permanent name, chosen at its first start: 12 hex digits. */
export type NodeId = Brand<string, "NodeId">;
/** One connected client. */
export type SessionId = Brand<number, "SessionId">;
/** A coding policy with its placement groups; `default` is 1. */
export type PoolId = Brand<number, "PoolId">;
/** File or symlink name: one character a byte (latin1), 1 to 255 bytes, no "/" and no NUL. */
export type Name = Brand<string, "Name">;

export const ROOT_INO = 1 as Ino;
export const DEFAULT_POOL = 1 as PoolId;

/**
 * One piece of a stripe. `pg` follows from (slice, index) and the pool; nodes group shards by it.
 */
export interface ShardId {
  readonly pool: PoolId;
  readonly pg: number;
  readonly slice: SliceId;
  /** Block index in the slice. */
  readonly index: number;
  /** 0…k-1 data, k…k+m-1 parity. */
  readonly slot: number;
}

/** Text form of a shard id, used in URLs, logs and `dfs info`: five hex fields joined by "-". */
export function formatShardId(id: ShardId): string {
  return [id.pool, id.pg, id.slice, id.index, id.slot].map((n) => n.toString(16)).join("-");
}

const SHARD_ID_TEXT =
  /^([0-9a-f]{1,4})-([0-9a-f]{1,8})-([0-9a-f]{1,14})-([0-9a-f]{1,4})-([0-9a-f]{1,2})$/;

/** Inverse of formatShardId; undefined when `text` isn't one. */
export function parseShardId(text: string): ShardId | undefined {
  const fields = SHARD_ID_TEXT.exec(text)
    ?.slice(1)
    .map((hex) => Number.parseInt(hex, 16));
  if (fields === undefined) return undefined;
  const [pool, pg, slice, index, slot] = fields as [number, number, number, number, number];
  if (!Number.isSafeInteger(slice)) return undefined;
  return { pool: pool as PoolId, pg, slice: slice as SliceId, index, slot };
}
