// Bounds of protocol/meta, each with the reason for its number.

/** Slice ids handed to a session at a time: one request per this many slices. */
export const SLICE_RANGE_SIZE = 256;
/** Entries of one readdir page: a page stays below 64 KiB on the wire with short names. */
export const MAX_READDIR_ENTRIES = 512;
/** Extent changes in one commit request: bounds the transaction's time. */
export const MAX_COMMIT_EXTENTS = 4096;
/**
 * A request that found no answer for this long fails with ETIMEDOUT: longer than a server restart.
 */
export const RPC_ANSWER_TIMEOUT_MS = 60_000;
/** Unsettled slices told at a time: up to 16 GiB of blocks to ask the nodes about. */
export const MAX_UNSETTLED_PAGE = 256;
/** Inodes or chunks named by one request: keeps a transaction short. */
export const MAX_RPC_LIST = 4096;
