// Numbers of the stored and the wire format. One marked "Stored" is never changed, for data that
// exists has it.
import type { PoolId } from "./ids.ts";
import { invariant } from "./invariant.ts";

/** Stored. The window of a file whose extents form one record. */
export const CHUNK_BYTES = 64 * 1024 * 1024;
/**
 * Stored. The unit that is coded: larger amortises requests, smaller bounds memory; 1 MiB shards at
 * k = 4.
 */
export const BLOCK_BYTES = 4 * 1024 * 1024;
/** Stored. Coding row and checksum unit: coding costs ~20 µs a call, so rows must not be small. */
export const CELL_BYTES = 64 * 1024;
/** Stored. Blocks of one slice: a slice never crosses a chunk. */
export const MAX_BLOCKS_PER_SLICE = CHUNK_BYTES / BLOCK_BYTES;
/**
 * Writes up to here live in the metadata record: below it six requests cost more than the bytes.
 * Records that exist are as long, so it may grow, but never shrink.
 */
export const MAX_INLINE_BYTES = 16 * 1024;
/** Stored with each pool, up to these: @ronomon/reed-solomon's own limits. */
export const MAX_DATA_SHARDS = 24;
export const MAX_PARITY_SHARDS = 6;
/** Stored. Largest shard a node takes: a block of a 1+m policy. */
export const MAX_SHARD_BYTES = BLOCK_BYTES;
/**
 * Stored with each pool. Placement groups of a new one: enough to even out a few hundred nodes, few
 * enough to list in seconds.
 */
export const DEFAULT_PG_COUNT = 1024;
/** Stored. Cluster map weights: fixed-point so that placement is the same on every machine. */
export const MAX_NODE_WEIGHT = 65_535;
/** Stored. Of a storage node's index; another one is refused. */
export const INDEX_FORMAT = 2;
/** Stored. Longest key of a metadata engine; lmdb's own limit is 1,978 with pages of 4 KiB. */
export const MAX_KEY_BYTES = 1024;
/**
 * Stored. The pool of the metadata's own copies, known without any metadata: any two of a block's
 * six shards give it back, since what is lost with it is everything.
 */
export const COPY_POOL = 0xffff as PoolId;
export const COPY_POLICY = { k: 2, m: 4 } as const;
export const COPY_PG_COUNT = 16;
/**
 * Stored. Slice ids from here on are those of copies: so many parts of a chunk's size a copy, and
 * copies numbered up to where numbers end.
 */
export const COPY_SLICES_FROM = 2 ** 52;
export const COPY_PARTS = 2 ** 20;

invariant(CHUNK_BYTES % BLOCK_BYTES === 0, "a chunk is whole blocks");
invariant(BLOCK_BYTES % CELL_BYTES === 0 && CELL_BYTES % 8 === 0, "a block is whole coding rows");
invariant(MAX_INLINE_BYTES < CELL_BYTES, "what is inline is less than a cell");
