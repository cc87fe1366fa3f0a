// Every bound of the system, each with the reason for its number. Units end the names.

/** Linux NAME_MAX. */
export const MAX_NAME_BYTES = 255;
/** Linux PATH_MAX less the NUL: the longest symlink target ext4 and the VFS accept. */
export const MAX_SYMLINK_BYTES = 4095;
/** Same as ext4's EXT4_LINK_MAX for files would be 65,000; we count in 32 bits and stop well before. */
export const MAX_LINKS = 2_000_000_000;
/** Linux XATTR_NAME_MAX and XATTR_SIZE_MAX. */
export const MAX_XATTR_NAME_BYTES = 255;
export const MAX_XATTR_VALUE_BYTES = 65_536;
/** All of an inode's xattr names together (XATTR_LIST_MAX): listxattr must fit one reply. */
export const MAX_XATTR_LIST_BYTES = 65_536;

/** A file's largest size: 2^53 would lose exactness in arithmetic on offsets; 8 PiB is far below. */
export const MAX_FILE_BYTES = 8 * 1024 ** 5;
/** The window of a file whose extents form one record. */
export const CHUNK_BYTES = 64 * 1024 * 1024;
/** The unit that is coded: larger amortises requests, smaller bounds memory; 1 MiB shards at k = 4. */
export const BLOCK_BYTES = 4 * 1024 * 1024;
/** Coding row and checksum unit: coding costs ~20 µs a call, so rows must not be small. */
export const CELL_BYTES = 64 * 1024;
/** Blocks of one slice: a slice never crosses a chunk. */
export const MAX_BLOCKS_PER_SLICE = CHUNK_BYTES / BLOCK_BYTES;
/** Writes up to here live in the metadata record: below it six requests cost more than the bytes. */
export const MAX_INLINE_BYTES = 16 * 1024;
/** @ronomon/reed-solomon's own limits. */
export const MAX_DATA_SHARDS = 24;
export const MAX_PARITY_SHARDS = 6;
/** Largest shard a node takes: a block of a 1+m policy. */
export const MAX_SHARD_BYTES = BLOCK_BYTES;
/** Shards up to here live in the node's LMDB: a file each costs 10 times as much. */
export const MAX_PACKED_SHARD_BYTES = 64 * 1024;
/** Shards in one batch request; bounds the body to a few MiB. */
export const MAX_BATCH_SHARDS = 256;
export const MAX_BATCH_BYTES = 8 * 1024 * 1024;

/** Placement groups of a pool: enough to even out a few hundred nodes, few enough to list in seconds. */
export const DEFAULT_PG_COUNT = 1024;
/** Cluster map weights: fixed-point so that placement is the same on every machine. */
export const MAX_NODE_WEIGHT = 65_535;

/** Slice ids handed to a session at a time: one request per this many slices. */
export const SLICE_RANGE_SIZE = 256;
/** Mutating requests a session may have outstanding; each has a reply slot in the metadata server. */
export const MAX_REPLY_SLOTS = 128;
/** Entries of one readdir page: a page stays below 64 KiB on the wire with short names. */
export const MAX_READDIR_ENTRIES = 512;
/** Extent changes in one commit request: bounds the transaction's time. */
export const MAX_COMMIT_EXTENTS = 4096;
/** Bytes of one RPC frame: a commit full of inline extents plus its head. */
export const MAX_RPC_FRAME_BYTES = 96 * 1024 * 1024;

/** Heartbeat cadence of nodes and sessions. */
export const HEARTBEAT_INTERVAL_MS = 1000;
/** Missed heartbeats before a node is `down`: five tolerate a garbage collection or a busy disk. */
export const NODE_DOWN_AFTER_MS = 5000;
/** `down` this long becomes `out` and its share is rebuilt: longer than a reboot. */
export const NODE_OUT_AFTER_MS = 600_000;
/** A session silent this long is dead: its open inodes are released. */
export const SESSION_DEAD_AFTER_MS = 60_000;

/** A hung node may not stall I/O for more than 2 s: one timeout plus the replacement's time. */
export const SHARD_PUT_TIMEOUT_MS = 1000;
export const SHARD_GET_TIMEOUT_MS = 1000;
/** After this long without an answer a spare shard is asked for beside the slow one. */
export const SHARD_HEDGE_AFTER_MS = 150;
/** Connecting on a LAN takes a millisecond; a dead host answers nothing. */
export const CONNECT_TIMEOUT_MS = 500;
/** An open breaker lets one probe through this often. */
export const BREAKER_PROBE_INTERVAL_MS = 1000;
/** fsync on a busy disk may take long; past this the node counts as failed. */
export const SHARD_SYNC_TIMEOUT_MS = 10_000;

/** Blocks of one mount being coded or sent: 8 × 6 MiB of memory, enough to keep six nodes busy. */
export const MAX_BLOCKS_IN_FLIGHT = 8;
/** Bytes of dirty buffers of one mount before writers wait. */
export const MAX_DIRTY_BYTES = 96 * 1024 * 1024;
/** Default byte budget of the block cache in a mount. */
export const BLOCK_CACHE_BYTES = 128 * 1024 * 1024;
/** Read-ahead of one handle grows up to this many blocks. */
export const MAX_READ_AHEAD_BLOCKS = 4;
/** Kernel attribute and entry cache without a lease: the close-to-open floor. */
export const ATTR_CACHE_MS = 1000;

/** A failing or waiting background job tries again after this, doubling up to the maximum. */
export const JOB_RETRY_MIN_MS = 1000;
export const JOB_RETRY_MAX_MS = 30_000;
/** Groups surveyed at once by repair: listing is cheap, but the metadata server has other work. */
export const REPAIR_GROUPS_AT_ONCE = 4;
/** Shards rebuilt at once over the cluster; each reads k shards and decodes. */
export const REPAIR_REBUILDS_AT_ONCE = 6;
/** Unwanted looks at every group: finds garbage and losses nobody reported. */
export const REPAIR_FULL_SURVEY_INTERVAL_MS = 3_600_000;
/** A slice's shards outlive its last reference this long, for readers that still have its extents. */
export const DEAD_SLICE_GRACE_MS = 30_000;
/** Slices deleted in one gc step: with 16 blocks of 6 shards each, a few thousand deletes. */
export const GC_SLICES_PER_STEP = 64;
/** Inode remains deleted in one gc transaction. */
export const GC_REAP_PER_STEP = 256;
/** Cadence of gc when nothing wakes it. */
export const GC_INTERVAL_MS = 2000;
