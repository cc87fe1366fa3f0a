// Bounds of storage/shards, each with the reason for its number.

/** Cells fetched from each source at a time in a rebuild: k + 1 buffers of 256 KiB. */
export const REBUILD_RUN_CELLS = 4;
/** A source that takes longer over such a run is given up: another shard will do. */
export const REBUILD_SOURCE_TIMEOUT_MS = 1000;
/** Rebuilds of one node under way: a few MiB of buffers each at wide policies. */
export const MAX_REBUILDS = 4;
/**
 * A node's own flushes begin so far apart, and each covers what had come before the last one: with
 * a flush that takes as long nothing is unflushed for over 5 s.
 */
export const SELF_FLUSH_CADENCE_MS = 1500;
/** Files brought to disk at once: enough to share journal commits, half of Node's thread pool. */
export const MAX_FILE_SYNCS = 2;
/**
 * Shard files left to a sync or to the kernel; beyond, they are synced early: a second of a disk.
 */
export const MAX_UNSYNCED_FILES = 256;
/** Starts of a node of which it knows how far they had come: none but the last few matter. */
export const MAX_FLUSHED_STARTS = 64;
/** Shards of earlier starts known to be whole and on disk: 12 MiB of memory. */
export const MAX_SECURED_REMEMBERED = 65_536;
/** Changes of a node's index in one transaction: some milliseconds of work at most. */
export const MAX_INDEX_BATCH = 512;
/** A transaction is held back for changes that should come at most so long. */
export const MAX_INDEX_HOLD_MS = 4;
/** …and no shorter, as timers are; after a transaction that took less not at all. */
export const MIN_INDEX_HOLD_MS = 1;
/** Transactions that aren't held back after a hold in vain, which costs as much as one at most. */
export const INDEX_HOLD_PAUSE = 16;
/** Shards condemned by inference are kept so long: somebody notices within a day. */
export const DEFAULT_TRASH_KEEP_MS = 24 * 3600 * 1000;
/** The trash is looked through this often: a small part of how long it is kept. */
export const TRASH_CADENCE_MS = 60_000;
/** Pace of a node's self-check: a terabyte in a day and a half, a few percent of one core. */
export const SCRUB_BYTES_PER_SECOND = 8 * 1024 * 1024;
/** Checked in a row before the scrub notes its position and pauses. */
export const SCRUB_BATCH_BYTES = 4 * 1024 * 1024;
/** After a whole pass the next one waits this long: a small node need not be read all day. */
export const SCRUB_PASS_INTERVAL_MS = 6 * 3600 * 1000;
