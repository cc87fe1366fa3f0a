// Bounds of storage/membership, each with the reason for its number.

/** One attempt to register or to send a heartbeat: well within NODE_DOWN_AFTER_MS. */
export const REGISTER_TIMEOUT_MS = 2000;
/**
 * Another process serves as this node: the one before, it may be, that has just ended at another
 * address, which is known when it hasn't been heard of for NODE_DOWN_AFTER_MS.
 */
export const TAKEN_NAME_PATIENCE_MS = 12_000;
/** Attempts at a metadata server that is away grow this far apart: it is noticed soon enough. */
export const REGISTER_BACKOFF_MAX_MS = 2000;
/** A node that ends waits so long for the server to hear of it: without, writes find out. */
export const LEAVING_TIMEOUT_MS = 1000;
