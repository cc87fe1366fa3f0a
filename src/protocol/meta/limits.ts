// Bounds of protocol/meta, each with the reason for its number.

/** Slice ids handed to a session at a time: one request per this many slices. */
export const SLICE_RANGE_SIZE = 256;
/**
 * Mutating requests a session may have outstanding; each has a reply slot in the metadata server.
 */
export const MAX_REPLY_SLOTS = 128;
/** Entries of one readdir page: a page stays below 64 KiB on the wire with short names. */
export const MAX_READDIR_ENTRIES = 512;
/** Extent changes in one commit request: bounds the transaction's time. */
export const MAX_COMMIT_EXTENTS = 4096;
/** Requests of one connection being worked on before the server stops reading from it. */
export const MAX_RPC_OUTSTANDING = 4096;
/** Requests a client session keeps unanswered, queued ones included, before new ones get EAGAIN. */
export const MAX_RPC_PENDING = 65_536;
/** Bytes a connection may have waiting to be sent before the server stops reading its requests. */
export const MAX_RPC_UNSENT_BYTES = 32 * 1024 * 1024;
/** How long the first connection is tried before the person is told that there is no server. */
export const RPC_FIRST_CONNECT_TIMEOUT_MS = 5000;
/** The first retry comes at once, the next after this long, then doubling. */
export const RPC_RECONNECT_MIN_MS = 20;
export const RPC_RECONNECT_MAX_MS = 1000;
/** Heartbeats without any traffic before a client gives a connection up as half dead. */
export const RPC_MISSED_HEARTBEATS = 5;
/** The same for the server: it is in no hurry, the session's own timer decides. */
export const RPC_SERVER_MISSED_HEARTBEATS = 15;
/**
 * A request that found no answer for this long fails with ETIMEDOUT: longer than a server restart.
 */
export const RPC_ANSWER_TIMEOUT_MS = 60_000;
/** Inodes or chunks named by one request: keeps a transaction short. */
export const MAX_RPC_LIST = 4096;
