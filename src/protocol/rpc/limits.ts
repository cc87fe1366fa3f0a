// Bounds of protocol/rpc, each with the reason for its number.

/** Bytes of one RPC frame: a commit full of inline extents plus its head. */
export const MAX_RPC_FRAME_BYTES = 96 * 1024 * 1024;
/** Corked messages leave in frames of about this size, so that one frame never nears the limit. */
export const RPC_CORK_BYTES = 1024 * 1024;
/** A connection attempt, handshake and greeting included, on a busy machine. */
export const RPC_CONNECT_TIMEOUT_MS = 5000;
