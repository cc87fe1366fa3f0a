// Bounds of vfs/read, each with the reason for its number.

/** Default byte budget of the block cache in a mount. */
export const BLOCK_CACHE_BYTES = 128 * 1024 * 1024;
/** Read-ahead of one handle grows up to this many blocks. */
export const MAX_READ_AHEAD_BLOCKS = 4;
