// Bounds of vfs, each with the reason for its number.

/**
 * Free buffers a mount keeps for its next blocks: fresh memory costs more than the copy into it.
 */
export const MAX_POOLED_BYTES = 48 * 1024 * 1024;
