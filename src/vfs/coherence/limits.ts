// Bounds of vfs/coherence, each with the reason for its number.

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
