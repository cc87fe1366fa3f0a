// Bounds of protocol/shard, each with the reason for its number.

/** Shards up to here live in the node's LMDB: a file each costs 10 times as much. */
export const MAX_PACKED_SHARD_BYTES = 64 * 1024;
/** Shards that one request asks about or deletes; a node deletes them one by one. */
export const MAX_BATCH_SHARDS = 256;
/** Shards of one page of a group's listing: some tens of KiB of JSON. */
export const MAX_SHARD_PAGE = 1024;
/** Shards secured by a request, which share a flush: a slow disk writes 256 MiB in its timeout. */
export const MAX_SECURE_SHARDS = 256;
/** Clients close what was idle this long, before the node does. */
export const GET_IDLE_TIMEOUT_MS = 60_000;
/**
 * Puts that one node gets at a time. Their clients' clocks run meanwhile, so as many as a client
 * may have under way where each node gets one shard of a block.
 */
export const MAX_PUT_CONNECTIONS = 64;
/** Connecting on a LAN takes a millisecond; a dead host answers nothing. */
export const CONNECT_TIMEOUT_MS = 500;
