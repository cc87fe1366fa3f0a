// How a file's bytes are cut: chunks, slices, blocks, shards, cells. Pure arithmetic.
import type { PoolId, SliceId } from "./ids.ts";
import { BLOCK_BYTES, CELL_BYTES, CHUNK_BYTES } from "./format.ts";

/** A coding policy: any k of a stripe's k + m shards give the block back. */
export interface CodingPolicy {
  readonly k: number;
  readonly m: number;
}

/** Where and how one block is kept. */
export interface BlockRef {
  readonly pool: PoolId;
  readonly slice: SliceId;
  readonly index: number;
  /** Bytes of user data in the block, 1…BLOCK_BYTES. */
  readonly lengthBytes: number;
}

/** Shard size S of a block of `lengthBytes`: ceil(L / k) rounded up to 8. */
export function shardSizeBytes(lengthBytes: number, k: number): number {
  return Math.ceil(Math.ceil(lengthBytes / k) / 8) * 8;
}

/** Cells of a shard; the last one may be shorter than CELL_BYTES. */
export function cellCount(shardBytes: number): number {
  return Math.ceil(shardBytes / CELL_BYTES);
}

export function chunkIndex(fileOffset: number): number {
  return Math.floor(fileOffset / CHUNK_BYTES);
}

/** Blocks of a slice of `lengthBytes`. */
export function blockCount(sliceBytes: number): number {
  return Math.ceil(sliceBytes / BLOCK_BYTES);
}

/** Length of block `index` of a slice of `sliceBytes`. */
export function blockLengthBytes(sliceBytes: number, index: number): number {
  return Math.min(BLOCK_BYTES, sliceBytes - index * BLOCK_BYTES);
}

/** The blocks of a whole slice; other sizes of blocks than the stored one are for tests. */
export function sliceBlocks(
  { slice, pool, storedBytes }: { slice: SliceId; pool: PoolId; storedBytes: number },
  blockBytes = BLOCK_BYTES,
): BlockRef[] {
  return Array.from({ length: Math.ceil(storedBytes / blockBytes) }, (_, index) => {
    const lengthBytes = Math.min(blockBytes, storedBytes - index * blockBytes);
    return { pool, slice, index, lengthBytes };
  });
}

/**
 * A committed slice as a reader needs it: bytes inline, or `lengthBytes` of slice `id` of `pool`
 * beginning at `baseBytes` (non-zero when it was packed into a shared slice of `storedBytes`).
 */
export interface SliceLocation {
  readonly id: SliceId;
  readonly pool: PoolId;
  /** Length of the stored slice that blocks are cut from. */
  readonly storedBytes: number;
  readonly baseBytes: number;
}

/** A piece of a slice mapped into a chunk; later extents overlay earlier ones. */
export interface Extent {
  /** Offset in the chunk. */
  readonly posInChunk: number;
  readonly lengthBytes: number;
  readonly offInSlice: number;
  /** The slice's own id, by which it is reference-counted. */
  readonly slice: SliceId;
  /** Where its bytes are; absent means `inline` holds the whole slice. */
  readonly location?: SliceLocation;
  readonly inline?: Uint8Array;
}
