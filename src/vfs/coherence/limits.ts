// Bounds of vfs/coherence, each with the reason for its number.

/** Kernel attribute and entry cache without a lease: the close-to-open floor. */
export const ATTR_CACHE_MS = 1000;
/** A client believes where bytes are this long: well within the grace, slow reads included. */
export const MAX_EXTENTS_AGE_MS = 10_000;
/**
 * Inodes remembered to have no xattrs, twice: more aren't listed in the time that it is believed.
 */
export const MAX_XATTR_LESS_INODES = 65_536;
/** Extent lists of a mount's open files, inline bytes included. */
export const EXTENT_CACHE_BYTES = 32 * 1024 * 1024;
/**
 * Closed inodes whose times a mount remembers to tell whether the kernel's pages are still good.
 */
export const MAX_REMEMBERED_INODES = 65_536;
/**
 * Inodes that the kernel was told of, twice. More are told in a validity time only where that is
 * long; then the oldest are forgotten early.
 */
export const MAX_TOLD_INODES = 65_536;
