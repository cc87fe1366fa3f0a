// Bounds of codec, each with the reason for its number.

/**
 * Rows a codec has in libuv's pool: coding one takes less than preparing it; more only cost cache.
 */
export const MAX_CODING_ROWS_IN_FLIGHT = 2;
/**
 * Parity and padding buffers one codec keeps for reuse: those of the whole blocks that may be in
 * flight (8 of 2 MiB at 4+2), twice.
 */
export const MAX_CODEC_POOL_BYTES = 32 * 1024 * 1024;
