// Bounds of meta/engine, each with the reason for its number.

/** A power cut takes no more than what was acknowledged in so long, where the disk keeps up. */
export const COMMITS_ON_DISK_WITHIN_MS = 1000;
/** Incarnations that the store remembers: a client that was away for more has lost its session. */
export const MAX_INCARNATIONS = 64;
/** The metadata journal is checkpointed at this size: replaying it takes about a second. */
export const JOURNAL_CHECKPOINT_BYTES = 16 * 1024 * 1024;
/**
 * What the metadata server leaves free on its disk: both journals, and the pages they become,
 * twice.
 */
export const METADATA_RESERVE_BYTES = 256 * 1024 * 1024;
/** A small disk's journals share its reserve: each is checkpointed at this part of it. */
export const JOURNALS_PER_RESERVE = 16;
/** How often the metadata server tries again to write to a full disk. */
export const FULL_DISK_RETRY_MS = 250;
/** Free space is measured this seldom, in which the journal grows by far less than the reserve. */
export const METADATA_SPACE_MAX_AGE_MS = 100;
/** While a checkpoint runs the next journal may grow to this many times that; then commits wait. */
export const MAX_JOURNAL_OVERRUN = 4;
/**
 * Room behind a journal's records, as much as it has of them: with less, a young journal's flushes
 * would soon change its size again; more than the maximum would be written for nothing.
 */
export const MIN_JOURNAL_ROOM_BYTES = 4096;
export const MAX_JOURNAL_ROOM_BYTES = 256 * 1024;
/** Keys that a checkpoint hands to lmdb in one turn of the event loop: about a millisecond. */
export const CHECKPOINT_KEYS_PER_TURN = 1000;
/** Address space mapped for the metadata database, not allocated; past it lmdb must map anew. */
export const METADATA_MAP_BYTES = 2 ** 40;
/** Inodes released in one transaction when a session ends. */
export const MAX_RELEASES_AT_ONCE = 256;
