// Bounds of meta/namespace, each with the reason for its number.

/** Chunks (16 GiB) and extents that a truncate drops at once; more are left to the reaper. */
export const MAX_CHUNKS_DROPPED_AT_ONCE = 256;
export const MAX_EXTENTS_DROPPED_AT_ONCE = 4096;
/**
 * Extents that one step of a copy by reference cites: each rewrites a slice's record of up to 16
 * KiB.
 */
export const MAX_EXTENTS_COPIED_AT_ONCE = 512;
/** Chunks (64 GiB) that one search for data or a hole looks into. */
export const MAX_CHUNKS_SEARCHED_AT_ONCE = 1024;
/** Marks of unsettled slices that one look passes, most of them stale: a few milliseconds. */
export const MAX_UNSETTLED_LOOKED_AT = 1024;
/** An unlinked file of one chunk with up to this many extents is deleted at once. */
export const MAX_EXTENTS_DELETED_AT_ONCE = 64;

/** Numbers reserved at a time, 16 million: a start passes over so many, half a billion may. */
export const NUMBERS_PER_RANGE = 2 ** 24;
/** More are reserved when so few are left: minutes of creates at their fastest. */
export const NUMBERS_EXTENDED_BELOW = 2 ** 23;
/** Changes wait when so few are left, which is more than all that are under way can take. */
export const NUMBERS_WAITED_BELOW = 2 ** 22;
