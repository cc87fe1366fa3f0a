// Bounds of vfs/write, each with the reason for its number.

/** Bytes of dirty buffers of one mount before writers wait. */
export const MAX_DIRTY_BYTES = 96 * 1024 * 1024;
/**
 * A block that too few nodes take, or make durable, is tried again for so long; then its file
 * reports the error. Longer than NODE_DOWN_AFTER_MS, from when on a small cluster's others stand
 * in.
 */
export const PUT_RETRY_TIMEOUT_MS = 8000;
/** Cadence of asking the nodes again to make blocks durable. */
export const SYNC_RETRY_CADENCE_MS = 500;
/** Unwritten runs of one file that still take writes: a scan of them costs a random write ~1 µs. */
export const MAX_PENDING_SLICES = 256;
/** The same with those on their way to the metadata server; past it writers of the file wait. */
export const MAX_UNCOMMITTED_SLICES = 1024;
/** Inline bytes of one commit request: bounds the frame and the transaction. */
export const MAX_COMMIT_INLINE_BYTES = 8 * 1024 * 1024;
/** Dirty data leaves this long after the file's last write, as a kernel's write-back would. */
export const WRITEBACK_IDLE_MS = 5000;
/** A run that is written to all the time leaves at this age (Linux dirty_expire_centisecs). */
export const WRITEBACK_MAX_AGE_MS = 30_000;
