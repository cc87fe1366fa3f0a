// Bounds of storage/disk, each with the reason for its number.

/** A file call that takes longer than the page cache ever does: the disk is being waited for. */
export const DISK_SLOW_CALL_MS = 4;
/** So long after such a call the node uses the thread pool: a few bursts of a busy disk. */
export const DISK_SLOW_FOR_MS = 1000;
/** A node leaves this share of its disk free, for its index and its neighbours… */
export const DISK_RESERVE_FRACTION = 0.02;
/** …but no more than this: 2% of a large disk is far more than an index needs. */
export const MAX_DISK_RESERVE_BYTES = 4 * 1024 ** 3;
/** With less than this share of its capacity left, a node's trash is emptied before its time. */
export const TRASH_YIELD_SHARE = 0.1;
/** Free space is asked for this seldom; what arrives in between is counted. */
export const STATFS_MAX_AGE_MS = 1000;
/** Buffers shards are read into on their way out, 8 MiB in all; larger ones measured no quicker. */
export const READ_BUFFER_BYTES = 512 * 1024;
export const MAX_READ_BUFFERS = 16;
