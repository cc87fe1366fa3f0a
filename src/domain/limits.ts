// Every bound of the system, each with the reason for its number. Units end the names.

/** Linux NAME_MAX. */
export const MAX_NAME_BYTES = 255;
/** Linux PATH_MAX less the NUL: the longest symlink target ext4 and the VFS accept. */
export const MAX_SYMLINK_BYTES = 4095;
/** Same as ext4's EXT4_LINK_MAX for files would be 65,000; we count in 32 bits and stop well before. */
export const MAX_LINKS = 2_000_000_000;
/** A caller's groups are believed so long; no longer than the kernel believes attributes. */
export const CALLER_GROUPS_MS = 1000;
/** Callers whose groups are remembered: more than machines run programs that need them at a time. */
export const MAX_CALLER_GROUPS = 1024;
/** Linux XATTR_NAME_MAX and XATTR_SIZE_MAX. */
export const MAX_XATTR_NAME_BYTES = 255;
export const MAX_XATTR_VALUE_BYTES = 65_536;
/** All of an inode's xattr names together (XATTR_LIST_MAX): listxattr must fit one reply. */
export const MAX_XATTR_LIST_BYTES = 65_536;

/** A file's largest size: above 2^53 numbers lose exactness, and sums of offsets must not. */
export const MAX_FILE_BYTES = 4 * 1024 ** 5;
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
/** Rows a codec has in libuv's pool: coding one takes less than preparing it; more only cost cache. */
export const MAX_CODING_ROWS_IN_FLIGHT = 2;
/** Parity and padding buffers one codec keeps for reuse: MAX_BLOCKS_IN_FLIGHT of 2 MiB at 4+2, twice. */
export const MAX_CODEC_POOL_BYTES = 32 * 1024 * 1024;
/** Largest shard a node takes: a block of a 1+m policy. */
export const MAX_SHARD_BYTES = BLOCK_BYTES;
/** Shards up to here live in the node's LMDB: a file each costs 10 times as much. */
export const MAX_PACKED_SHARD_BYTES = 64 * 1024;
/** Shards in one batch request; bounds the body to a few MiB. */
export const MAX_BATCH_SHARDS = 256;
export const MAX_BATCH_BYTES = 8 * 1024 * 1024;
/** Shards of one page of a group's listing: some tens of KiB of JSON. */
export const MAX_SHARD_PAGE = 1024;
/** Shards of one sync request: a GiB of user data at 4+2; one request, one shared flush. */
export const MAX_SYNC_SHARDS = 1024;
/** Cells fetched from each source at a time in a rebuild: k + 1 buffers of 256 KiB. */
export const REBUILD_RUN_CELLS = 4;
/** Rebuilds of one node under way: a few MiB of buffers each at wide policies. */
export const MAX_REBUILDS = 4;
/** A file call that takes longer than the page cache ever does: the disk is being waited for. */
export const DISK_PATIENCE_MS = 4;
/** So long after such a call the node uses the thread pool: a few bursts of a busy disk. */
export const DISK_SLOW_FOR_MS = 1000;
/** A node leaves this share of its disk free, for its index and its neighbours… */
export const DISK_RESERVE_FRACTION = 0.02;
/** …but no more than this: 2% of a large disk is far more than an index needs. */
export const MAX_DISK_RESERVE_BYTES = 4 * 1024 ** 3;
/** Free space is asked for this seldom; what arrives in between is counted. */
export const STATFS_MAX_AGE_MS = 1000;
/** Files brought to disk at once: enough to share journal commits, half of Node's thread pool. */
export const MAX_FILE_SYNCS = 2;
/** Shard files left to a sync or to the kernel; beyond, they are synced early: a second of a disk. */
export const MAX_UNSYNCED_FILES = 256;
/** Changes of a node's index in one transaction: some milliseconds of work at most. */
export const MAX_INDEX_BATCH = 512;
/** Buffers shards are read into on their way out, 8 MiB in all; larger ones measured no quicker. */
export const READ_BUFFER_BYTES = 512 * 1024;
export const MAX_READ_BUFFERS = 16;
/** An idle connection to a node stays this long; its clients close theirs a little earlier. */
export const NODE_KEEP_ALIVE_MS = 75_000;
/** Clients close what was idle this long, before the node does. */
export const GET_IDLE_MS = 60_000;
/** A request must have arrived whole by then: 4 MiB at 140 KiB/s. */
export const NODE_REQUEST_TIMEOUT_MS = 30_000;
/** A stopping node waits this long for answers under way. */
export const NODE_STOP_GRACE_MS = 2000;
/** One attempt to register or to send a heartbeat: well within NODE_DOWN_AFTER_MS. */
export const REGISTER_TIMEOUT_MS = 2000;
/** Attempts at a metadata server that is away grow this far apart: it is noticed soon enough. */
export const REGISTER_BACKOFF_MAX_MS = 5000;
/** Pace of a node's self-check: a terabyte in a day and a half, a few percent of one core. */
export const SCRUB_BYTES_PER_SECOND = 8 * 1024 * 1024;
/** Checked in a row before the scrub notes its position and pauses. */
export const SCRUB_BATCH_BYTES = 4 * 1024 * 1024;
/** After a whole pass the next one waits this long: a small node need not be read all day. */
export const SCRUB_PASS_INTERVAL_MS = 6 * 3600 * 1000;

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
/** A probe unanswered this long fails; with the ping's delay a hung node is known within a second. */
export const BREAKER_PROBE_TIMEOUT_MS = 500;
/** A node with requests outstanding that is silent this long is asked for a sign of life. */
export const NODE_QUIET_PING_MS = 400;
/** Outstanding requests of a node are looked at this often. */
export const NODE_WATCH_INTERVAL_MS = 100;
/** A node that answers others may take this long over one request: slow is not dead. */
export const SHARD_SLOW_CAP_MS = 10_000;
/** Patience with nodes believed dead, asked only because nobody else has the shard. */
export const SHARD_LAST_RESORT_MS = 500;
/** After a stripe's first failed put the rest has this long: with the put timeout below 2 s. */
export const STRIPE_SETTLE_AFTER_FAILURE_MS = 900;
/** A stripe that stands well enough waits no longer than this for a slow node's shard. */
export const STRIPE_SETTLE_MS = 1900;
/** A node that answers but was full, or dawdled, is left out this long, twice as long each time… */
export const NODE_AVOID_MS = 1000;
/** …up to this: by then an operator should have looked. */
export const NODE_AVOID_MAX_MS = 30_000;
/** Once every block is durable on enough nodes, fsync waits this long for the others. */
export const SYNC_GRACE_MS = 500;
/** fsync on a busy disk may take long; past this the node counts as failed. */
export const SHARD_SYNC_TIMEOUT_MS = 10_000;

/** Blocks of one mount being coded or sent: 8 × 6 MiB of memory, enough to keep six nodes busy. */
export const MAX_BLOCKS_IN_FLIGHT = 8;
/** Cells of one mount being fetched, decoding's extra ones not counted: 64 MiB, 16 whole blocks. */
export const MAX_CELLS_IN_FLIGHT = 1024;
/** Idle scratch buffers a block store keeps: two shards for each block in flight. */
export const MAX_SCRATCH_RETAINED_BYTES = 16 * 1024 * 1024;
/** Blocks whose nodes a client remembers until they are synced: 64 GiB, a few MiB of memory. */
export const MAX_BLOCK_STANDINGS = 16_384;
/** Shards remembered to stand elsewhere than placement says, until repair has moved them. */
export const MAX_STRAYS_REMEMBERED = 16_384;
/** Nodes asked at once in a broadcast (search, gc). */
export const MAX_BROADCAST_NODES = 16;
/** Damage findings are gathered this long before they are sent. */
export const DAMAGE_BATCH_DELAY_MS = 1000;
export const MAX_DAMAGE_BATCH = 256;
/** The same finding isn't sent again within this time: repair needs a while. */
export const DAMAGE_REPEAT_AFTER_MS = 60_000;
/** Findings remembered so as not to repeat them. */
export const MAX_DAMAGE_REMEMBERED = 8192;
/** Bytes of dirty buffers of one mount before writers wait. */
export const MAX_DIRTY_BYTES = 96 * 1024 * 1024;
/** Default byte budget of the block cache in a mount. */
export const BLOCK_CACHE_BYTES = 128 * 1024 * 1024;
/** Read-ahead of one handle grows up to this many blocks. */
export const MAX_READ_AHEAD_BLOCKS = 4;
/** Inodes remembered to have no xattrs, twice: more aren't listed in the time that it is believed. */
export const MAX_XATTR_LESS_INODES = 65_536;
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
/** Dead slices whose grace is watched at once: some 500 a second are deleted, for a MiB of memory. */
export const MAX_DEAD_SLICES_WATCHED = 16_384;
/** A client believes where bytes are this long: well within the grace, slow reads included. */
export const MAX_EXTENTS_AGE_MS = 10_000;
/** Jobs that move bytes rest this many times as long as they work: a quarter of the time is theirs. */
export const JOB_IDLE_SHARE = 3;
/** Cadence of walks over all chunks and all slices; a long walk takes its time from its own pace. */
export const COMPACT_INTERVAL_MS = 10_000;
export const PACK_INTERVAL_MS = 10_000;
/** Chunks or slices looked at in one step of such a walk: a millisecond or two. */
export const WALK_STEP_RECORDS = 1024;
/** Runs of one chunk before the walk goes on, since one that is written to all the time never ends. */
export const COMPACT_RUNS_PER_WALK = 16;
/** Fewer extents are not worth a stripe of six shards. */
export const COMPACT_MIN_EXTENTS = 16;
/** Bytes worth rewriting to have an extent less: random 4 KiB writes are then rewritten 16 times at most. */
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

/** Requests of one connection being worked on before the server stops reading from it. */
export const MAX_RPC_OUTSTANDING = 4096;
/** Requests a client session keeps unanswered, queued ones included, before new ones get EAGAIN. */
export const MAX_RPC_PENDING = 65_536;
/** Corked messages leave in frames of about this size, so that one frame never nears the limit. */
export const RPC_CORK_BYTES = 1024 * 1024;
/** Bytes a connection may have waiting to be sent before the server stops reading its requests. */
export const MAX_RPC_UNSENT_BYTES = 32 * 1024 * 1024;
/** A connection attempt, handshake and greeting included, on a busy machine. */
export const RPC_CONNECT_TIMEOUT_MS = 5000;
/** How long the first connection is tried before the person is told that there is no server. */
export const RPC_FIRST_CONNECT_PATIENCE_MS = 5000;
/** The first retry comes at once, the next after this long, then doubling. */
export const RPC_RECONNECT_MIN_MS = 20;
export const RPC_RECONNECT_MAX_MS = 1000;
/** Heartbeats without any traffic before a client gives a connection up as half dead. */
export const RPC_MISSED_HEARTBEATS = 5;
/** The same for the server: it is in no hurry, the session's own timer decides. */
export const RPC_SERVER_MISSED_HEARTBEATS = 15;
/** A request that found no answer for this long fails with ETIMEDOUT: longer than a server restart. */
export const RPC_PATIENCE_MS = 60_000;
/** Sessions of one server: a bound on memory, far above what one server can serve. */
export const MAX_SESSIONS = 20_000;
/** Client names in session lists and tokens: a host name and a program. */
export const MAX_CLIENT_NAME_CHARS = 128;
/** Inodes or chunks named by one request: keeps a transaction short. */
export const MAX_RPC_LIST = 4096;

/** Older cluster maps that readers are given: each costs a lookup on a miss. */
export const MAX_MAP_HISTORY = 64;
/** A map stays in the history this long after it was replaced: slower than any write still using it. */
export const MAP_HISTORY_GRACE_MS = 300_000;
/** Storage nodes of one cluster: placement and status walk all of them. */
export const MAX_NODES = 4096;
/** Damaged shards remembered for each placement group; more only says "look at the whole group". */
export const MAX_DAMAGE_PER_GROUP = 64;
/** Reports taken in one request. */
export const MAX_DAMAGE_REPORTS = 1024;

/** Login attempts of one user from one address before each further one has to wait. */
export const LOGIN_FREE_ATTEMPTS = 5;
/** The wait doubles from a second up to this. */
export const LOGIN_MAX_WAIT_MS = 60_000;
/** (user, address) pairs remembered; the oldest are forgotten first. */
export const MAX_LOGIN_TRACKED = 10_000;
/** Password hashes computed at once: argon2id takes 19 MiB and a core each. */
export const MAX_CONCURRENT_HASHES = 2;
/** Password hashes waiting their turn before logins are told to come back (EAGAIN). */
export const MAX_QUEUED_HASHES = 64;
export const MIN_PASSWORD_CHARS = 8;
/** Longer ones only burn CPU in the hash. */
export const MAX_PASSWORD_BYTES = 1024;
/** Tokens of one user; a login past it revokes the one used longest ago. */
export const MAX_TOKENS_PER_USER = 256;
/** A token's last use is written down at most this often. */
export const TOKEN_USE_RESOLUTION_MS = 3_600_000;

/** Puts of one mount in flight by number: small blocks don't fill MAX_BLOCKS_IN_FLIGHT in bytes. */
export const MAX_PUTS_IN_FLIGHT = 64;
/**
 * A block that too few nodes take, or make durable, is tried again for so long before its file reports
 * the error: longer than NODE_DOWN_AFTER_MS, from when on a small cluster's others stand in.
 */
export const PUT_RETRY_MS = 8000;
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
/** Written blocks of a mount not yet made durable by fsync that it remembers: 32 GiB of big blocks. */
export const MAX_UNSYNCED_BLOCKS = 8192;
/** Blocks in one durability request. */
export const MAX_SYNC_BLOCKS = 1024;
/** Extent lists of a mount's open files, inline bytes included. */
export const EXTENT_CACHE_BYTES = 32 * 1024 * 1024;
/** Free buffers a mount keeps for its next blocks: fresh memory costs more than the copy into it. */
export const MAX_POOLED_BYTES = 48 * 1024 * 1024;
/** Closed inodes whose times a mount remembers to tell whether the kernel's pages are still good. */
export const MAX_REMEMBERED_INODES = 65_536;
/** Closed handles are told to the metadata server together, this much later at most. */
export const RELEASE_DELAY_MS = 5;
/** Inodes in one release request. */
export const MAX_RELEASE_BATCH = 1024;
/** Sessions' inodes opened again at a time after the server lost the session. */
export const MAX_REOPENS_IN_FLIGHT = 16;
/** Looking for shards that ended sessions left behind lists every group: not more often than this. */
export const ORPHAN_SURVEY_INTERVAL_MS = 60_000;

/** Longest key of a metadata engine; lmdb's own limit is 1,978 with pages of 4 KiB. */
export const MAX_KEY_BYTES = 1024;
/** The metadata journal is checkpointed at this size: replaying it takes about a second. */
export const JOURNAL_CHECKPOINT_BYTES = 16 * 1024 * 1024;
/** What the metadata server leaves free on its disk: both journals, and the pages they become, twice. */
export const METADATA_RESERVE_BYTES = 256 * 1024 * 1024;
/** A small disk's journals share its reserve: each is checkpointed at this part of it. */
export const JOURNALS_PER_RESERVE = 16;
/** How often the metadata server tries again to write to a full disk. */
export const FULL_DISK_RETRY_MS = 250;
/** Free space is measured this seldom, in which the journal grows by far less than the reserve. */
export const METADATA_SPACE_MAX_AGE_MS = 100;
/** While a checkpoint runs the next journal may grow to this many times that; then commits wait. */
export const MAX_JOURNAL_OVERRUN = 4;
/** Keys that a checkpoint hands to lmdb in one turn of the event loop: about a millisecond. */
export const CHECKPOINT_KEYS_PER_TURN = 1000;
/** Address space mapped for the metadata database, not allocated; past it lmdb must map anew. */
export const METADATA_MAP_BYTES = 2 ** 40;
/** Chunks (16 GiB) and extents that a truncate drops at once; more are left to the reaper. */
export const MAX_CHUNKS_DROPPED_AT_ONCE = 256;
export const MAX_EXTENTS_DROPPED_AT_ONCE = 4096;
/** Extents that one step of a copy by reference cites: each rewrites a slice's record of up to 16 KiB. */
export const MAX_EXTENTS_COPIED_AT_ONCE = 512;
/** Chunks (64 GiB) that one search for data or a hole looks into. */
export const MAX_CHUNKS_SEARCHED_AT_ONCE = 1024;
/** Inodes with ranges copied from other files that a mount remembers until an fsync covers them. */
export const MAX_COPIED_INODES = 1024;
/** An unlinked file of one chunk with up to this many extents is deleted at once. */
export const MAX_EXTENTS_DELETED_AT_ONCE = 64;
/** Locks on one inode, each range of each holder counted: a request reads and writes all of them. */
export const MAX_LOCKS_PER_INODE = 1024;
/** Requests for locks that may wait in one session: a thread of some program each. */
export const MAX_LOCK_WAITS_PER_SESSION = 4096;
/** Inodes released in one transaction when a session ends. */
export const MAX_RELEASES_AT_ONCE = 256;

/** Names whose inodes a fuse-native mount remembers, each for as long as the kernel may: some MiB. */
export const MAX_REMEMBERED_NAMES = 65_536;
/** A fuse-native operation is answered by then: the metadata server's patience and a little more. */
export const NATIVE_OPERATION_DEADLINE_MS = RPC_PATIENCE_MS + 15_000;
/** fuse-native takes a directory in one piece; a larger one is refused rather than run out of memory. */
export const MAX_WHOLE_LISTING_ENTRIES = 1_000_000;
/** An access time so recent that fuse-native can only have it from `touch`: a request's way to us. */
export const TOUCH_WINDOW_MS = 250;
/** How often a fuse-native mount looks whether it has ended: it isn't told. */
export const NATIVE_END_POLL_MS = 100;
