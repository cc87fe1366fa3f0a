// Bounds of jobs, each with the reason for its number.
import { CELL_BYTES } from "../domain/format.ts";

/** A failing or waiting background job tries again after this, doubling up to the maximum. */
export const JOB_RETRY_MIN_MS = 1000;
export const JOB_RETRY_MAX_MS = 30_000;
/** What jobs ask of a node has this long: an overloaded one gets as much from clients. */
export const NODE_CALL_TIMEOUT_MS = 10_000;
/** Shards that a node is asked to read in one call, a quarter of a GiB at most… */
export const SECURE_SHARDS_AT_ONCE = 64;
/** …for which a slow and busy disk needs so long. */
export const NODE_SECURE_TIMEOUT_MS = 60_000;
/** A rebuild waits for others of its node, and reads up to k shards of 4 MiB from slow peers. */
export const NODE_REBUILD_TIMEOUT_MS = 60_000;
/** Calls of an inventory that fail on one node before it is asked no more: it has 1,024 groups. */
export const INVENTORY_FAILURES_A_NODE = 3;
/** Damaged files named one by one, more are counted: each needs its path, and a reader. */
export const MAX_NAMED_FILES = 1000;
/** Cadence of repair when nothing wakes it: new maps and reports do. */
export const REPAIR_INTERVAL_MS = 60_000;
/** Groups surveyed at once by repair: listing is cheap, but the metadata server has other work. */
export const REPAIR_GROUPS_AT_ONCE = 4;
/** Shards rebuilt at once over the cluster; each reads k shards and decodes. */
export const REPAIR_REBUILDS_AT_ONCE = 6;
/** Copies of one shard that a rebuild is told of: more are only left over from many changes. */
export const REPAIR_SOURCES_A_SLOT = 4;
/** Read at a time where repair reads a shard itself: memory of each group under repair. */
export const REPAIR_READ_BYTES = 4 * CELL_BYTES;
/** Shards remembered that were set aside because repair, not their node, found them spoilt. */
export const MAX_SET_ASIDE_REMEMBERED = 4096;
/** Unwanted looks at every group: finds garbage and losses nobody reported. */
export const FULL_SURVEY_INTERVAL_MS = 3_600_000;
/** The first one: when nodes and clients have come back, but soon, for servers that start often. */
export const FIRST_SURVEY_AFTER_MS = 300_000;
/** A survey that ended sessions, or a restored store, call for comes not more often than this. */
export const WANTED_SURVEY_AFTER_MS = 60_000;
/** Groups looked at in one step of a survey; the pace between steps leaves room for others. */
export const SURVEY_GROUPS_A_STEP = 16;
/**
 * A slice's shards outlive its last reference this long, for readers that still have its extents.
 */
export const DEAD_SLICE_GRACE_MS = 30_000;
/** Slices deleted at a time: with 16 blocks of 6 shards each, a few thousand deletes. */
export const GC_SLICES_PER_STEP = 64;
/** Inode remains deleted in one gc transaction. */
export const GC_REAP_PER_STEP = 256;
/**
 * Tombstones that wait for nodes that are out, perhaps for ever: some 100 MB of metadata. Beyond
 * them the ids' own records tell, which a survey goes by when such a node comes back.
 */
export const MAX_TOMBSTONES_WAITING = 1_000_000;
/** Tombstones forgotten in one transaction: some milliseconds. */
export const GC_FORGET_PER_STEP = 1024;
/** Time that gc goes on deleting on one node before it looks at all of them again. */
export const GC_NODE_PATIENCE_MS = 5000;
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
/** Bytes in files are on the nodes' disks so long after their commit, whoever syncs or doesn't. */
export const SETTLE_AFTER_MS = 5000;
/** Cadence of looking for what isn't. */
export const SETTLE_INTERVAL_MS = 2500;
/** Slices that can't be made durable before a pass ends: each may take seconds to find out. */
export const SETTLE_FAILURES_PER_PASS = 8;
/**
 * A new server's first copy of its metadata: late enough for there to be something worth it, early
 * enough for a loss on the first day.
 */
export const COPY_FIRST_AFTER_MS = 600_000;
/** Copies on the nodes: one may be the last before the metadata went wrong. */
export const NODE_COPIES_KEPT = 2;
/** Blocks of a copy on their way: they share the network with clients. */
export const COPY_BLOCKS_AT_ONCE = 2;
/** Blocks flushed together: what a slow disk writes well within its timeout. */
export const COPY_BLOCKS_SYNCED_AT_ONCE = 16;
