// Bounds of meta/locks, each with the reason for its number.

/**
 * Locks on one inode, each range of each holder counted: a request reads and writes all of them.
 */
export const MAX_LOCKS_PER_INODE = 1024;
/** Requests for locks that may wait in one session: a thread of some program each. */
export const MAX_LOCK_WAITS_PER_SESSION = 4096;
