// Bounds of jobs, each with the reason for its number.

/** A failing or waiting background job tries again after this, doubling up to the maximum. */
export const JOB_RETRY_MIN_MS = 1000;
export const JOB_RETRY_MAX_MS = 30_000;
/** Groups surveyed at once by repair: listing is cheap, but the metadata server has other work. */
export const REPAIR_GROUPS_AT_ONCE = 4;
/** Shards rebuilt at once over the cluster; each reads k shards and decodes. */
export const REPAIR_REBUILDS_AT_ONCE = 6;
/** Unwanted looks at every group: finds garbage and losses nobody reported. */
export const REPAIR_FULL_SURVEY_INTERVAL_MS = 3_600_000;
/**
 * A slice's shards outlive its last reference this long, for readers that still have its extents.
 */
export const DEAD_SLICE_GRACE_MS = 30_000;
/** Slices deleted in one gc step: with 16 blocks of 6 shards each, a few thousand deletes. */
export const GC_SLICES_PER_STEP = 64;
/** Inode remains deleted in one gc transaction. */
export const GC_REAP_PER_STEP = 256;
/**
 * Dead slices whose grace is watched at once: some 500 a second are deleted, for a MiB of memory.
 */
export const MAX_DEAD_SLICES_WATCHED = 16_384;
/**
 * Jobs that move bytes rest this many times as long as they work: a quarter of the time is theirs.
 */
export const JOB_REST_FACTOR = 3;
/**
 * Cadence of walks over all chunks and all slices; a long walk takes its time from its own pace.
 */
export const COMPACT_INTERVAL_MS = 10_000;
export const PACK_INTERVAL_MS = 10_000;
/** Chunks or slices looked at in one step of such a walk: a millisecond or two. */
export const WALK_STEP_RECORDS = 1024;
/**
 * Runs of one chunk before the walk goes on, since one that is written to all the time never ends.
 */
export const COMPACT_RUNS_PER_WALK = 16;
/** Fewer extents are not worth a stripe of six shards. */
export const COMPACT_MIN_EXTENTS = 16;
/**
 * Bytes worth rewriting to have an extent less: random 4 KiB writes are then rewritten 16 times at
 * most.
 */
export const COMPACT_WORTH_BYTES = 32 * 1024;
/** Bytes read for nothing rather than asking twice: about what a request costs. */
export const GATHER_GAP_BYTES = 128 * 1024;
/** Reads under way when bytes are gathered; a block of memory each at most. */
export const GATHER_READS_AT_ONCE = 4;
/** Inline bytes younger than this aren't packed: temporary files are gone by then. */
export const PACK_AFTER_MS = 60_000;
/** Less stays inline: a metadata store isn't burdened by it, and small stripes waste requests. */
export const PACK_MIN_BYTES = 1024 * 1024;
/** Shorter slices stay inline for good: their record in a shared slice is hardly smaller. */
export const PACK_MIN_SLICE_BYTES = 512;
/** Waste in shared slices that is worth packing less than PACK_MIN_BYTES. */
export const PACK_MIN_WASTE_BYTES = 16 * 1024 * 1024;
/** Slices moved in one transaction: about 10 ms. */
export const MAX_PACK_MEMBERS = 2048;
/** Shared slices whose waste is known at a time: 256 GiB of small files. */
export const MAX_PACKS_WATCHED = 65_536;
/** Cadence of gc when nothing wakes it. */
export const GC_INTERVAL_MS = 2000;
/**
 * Looking for shards that ended sessions left behind lists every group: not more often than this.
 */
export const ORPHAN_SURVEY_INTERVAL_MS = 60_000;
/** Bytes in files are on the nodes' disks so long after their commit, whoever syncs or doesn't. */
export const SETTLE_AFTER_MS = 5000;
/** Cadence of looking for what isn't. */
export const SETTLE_INTERVAL_MS = 2500;
/** Slices that can't be made durable before a pass ends: each may take seconds to find out. */
export const SETTLE_FAILURES_PER_PASS = 8;
