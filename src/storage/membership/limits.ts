// Bounds of storage/membership, each with the reason for its number.

/** One attempt to register or to send a heartbeat: well within NODE_DOWN_AFTER_MS. */
export const REGISTER_TIMEOUT_MS = 2000;
/** Attempts at a metadata server that is away grow this far apart: it is noticed soon enough. */
export const REGISTER_BACKOFF_MAX_MS = 5000;
