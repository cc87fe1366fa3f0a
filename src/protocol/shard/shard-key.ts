// The 17-byte form of a shard id: the node's index key and the way ids travel in batch bodies.
// Big-endian, so that bytes sort as (pool, pg, slice, index, slot).
import { FsError } from "../../domain/errno.ts";
import type { PoolId, ShardId, SliceId } from "../../domain/ids.ts";

/** pool u16, pg u32, slice u64, index u16, slot u8. */
export const SHARD_KEY_BYTES = 17;
/** Leading bytes of a key that name its placement group. */
export const GROUP_KEY_BYTES = 6;

const TWO_TO_32 = 2 ** 32;

/** Writes `id` at `at` and returns the offset behind it. */
export function writeShardKey(target: Buffer, at: number, id: ShardId): number {
  target.writeUInt16BE(id.pool, at);
  target.writeUInt32BE(id.pg, at + 2);
  target.writeUInt32BE(Math.floor(id.slice / TWO_TO_32), at + 6);
  target.writeUInt32BE(id.slice % TWO_TO_32, at + 10);
  target.writeUInt16BE(id.index, at + 14);
  target.writeUInt8(id.slot, at + 16);
  return at + SHARD_KEY_BYTES;
}

export function shardKey(id: ShardId): Buffer {
  const key = Buffer.allocUnsafe(SHARD_KEY_BYTES);
  writeShardKey(key, 0, id);
  return key;
}

/**
 * The id at `at`.
 * @throws FsError EINVAL when the bytes end too early or the slice isn't a safe integer
 */
export function readShardKey(source: Buffer, at: number): ShardId {
  if (at + SHARD_KEY_BYTES > source.length) throw new FsError("EINVAL", "shard key is cut short");
  const slice = source.readUInt32BE(at + 6) * TWO_TO_32 + source.readUInt32BE(at + 10);
  if (!Number.isSafeInteger(slice)) throw new FsError("EINVAL", "slice id is out of range");
  return {
    pool: source.readUInt16BE(at) as PoolId,
    pg: source.readUInt32BE(at + 2),
    slice: slice as SliceId,
    index: source.readUInt16BE(at + 14),
    slot: source.readUInt8(at + 16),
  };
}

/** Key prefix of a placement group. */
export function groupKey(pool: PoolId, pg: number): Buffer {
  const key = Buffer.allocUnsafe(GROUP_KEY_BYTES);
  key.writeUInt16BE(pool, 0);
  key.writeUInt32BE(pg, 2);
  return key;
}

/** The ids as one run of keys, the body of head, delete, sync and get batches. */
export function encodeShardIds(ids: readonly ShardId[]): Buffer {
  const body = Buffer.allocUnsafe(ids.length * SHARD_KEY_BYTES);
  let at = 0;
  for (const id of ids) at = writeShardKey(body, at, id);
  return body;
}

/** Inverse of encodeShardIds. @throws FsError EINVAL */
export function decodeShardIds(body: Buffer): ShardId[] {
  if (body.length % SHARD_KEY_BYTES !== 0) {
    throw new FsError("EINVAL", "batch body is not a whole number of shard keys");
  }
  const ids: ShardId[] = [];
  for (let at = 0; at < body.length; at += SHARD_KEY_BYTES) ids.push(readShardKey(body, at));
  return ids;
}
