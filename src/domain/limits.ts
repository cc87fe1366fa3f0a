// Bounds of the vocabulary itself, which every layer shares; each room keeps its own in a
// `limits.ts`.

/** Linux NAME_MAX. */
export const MAX_NAME_BYTES = 255;
/** Linux PATH_MAX less the NUL: the longest symlink target ext4 and the VFS accept. */
export const MAX_SYMLINK_BYTES = 4095;
/**
 * Same as ext4's EXT4_LINK_MAX for files would be 65,000; we count in 32 bits and stop well before.
 */
export const MAX_LINKS = 2_000_000_000;
/** Linux XATTR_NAME_MAX and XATTR_SIZE_MAX. */
export const MAX_XATTR_NAME_BYTES = 255;
export const MAX_XATTR_VALUE_BYTES = 65_536;
/** All of an inode's xattr names together (XATTR_LIST_MAX): listxattr must fit one reply. */
export const MAX_XATTR_LIST_BYTES = 65_536;
/** A file's largest size: above 2^53 numbers lose exactness, and sums of offsets must not. */
export const MAX_FILE_BYTES = 4 * 1024 ** 5;
/** Heartbeat cadence of nodes and sessions. */
export const HEARTBEAT_INTERVAL_MS = 1000;
/** Client names in session lists and tokens: a host name and a program. */
export const MAX_CLIENT_NAME_CHARS = 128;
/** Older cluster maps that readers are given: each costs a lookup on a miss. */
export const MAX_MAP_HISTORY = 64;
/** Storage nodes of one cluster: placement and status walk all of them. */
export const MAX_NODES = 4096;
/** Reports taken in one request. */
export const MAX_DAMAGE_REPORTS = 1024;
