// Bounds of vfs, each with the reason for its number.

/** Kernel attribute and entry cache without a lease: the close-to-open floor. */
export const ATTR_CACHE_MS = 1000;
/** A client believes where bytes are this long: well within the grace, slow reads included. */
export const MAX_EXTENTS_AGE_MS = 10_000;
/**
 * Free buffers a mount keeps for its next blocks: fresh memory costs more than the copy into it.
 */
export const MAX_POOLED_BYTES = 48 * 1024 * 1024;
