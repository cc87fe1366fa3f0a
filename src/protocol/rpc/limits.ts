// Bounds of protocol/rpc, each with the reason for its number.

/** Bytes of one RPC frame: a commit full of inline extents plus its head. */
export const MAX_RPC_FRAME_BYTES = 96 * 1024 * 1024;
/** Corked messages leave in frames of about this size, so that one frame never nears the limit. */
export const RPC_CORK_BYTES = 1024 * 1024;
/** A connection attempt, handshake and greeting included, on a busy machine. */
export const RPC_CONNECT_TIMEOUT_MS = 5000;
/**
 * Mutating requests a session may have outstanding; each has a reply slot in the metadata server.
 */
export const MAX_REPLY_SLOTS = 128;
/** Requests of one connection being worked on before the server stops reading from it. */
export const MAX_RPC_OUTSTANDING = 4096;
/** Requests a client session keeps unanswered, queued ones included, before new ones get EAGAIN. */
export const MAX_RPC_PENDING = 65_536;
/**
 * Changes, and the bytes in them, that a client keeps until the server has them on disk; beyond
 * that new ones wait for a flush. Half of it has the server flush at once: some ms of its time.
 */
export const MAX_KEPT_CHANGES = 8192;
export const MAX_KEPT_BYTES = 16 * 1024 * 1024;
/** Changes in one message of those that a server is asked to do again. */
export const MAX_REDO_BATCH = 512;
/**
 * What a server takes of one client to be done again. A client may have what it keeps, what was
 * under way when that was full, and unlocks, which don't wait for room.
 */
export const MAX_REDO_CHANGES = 65_536;
export const MAX_REDO_BYTES = 256 * 1024 * 1024;
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
/** How often a connection that the server stopped reading from is looked at again. */
export const RPC_DRAIN_CADENCE_MS = 20;
