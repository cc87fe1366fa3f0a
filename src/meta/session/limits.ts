// Bounds of meta/session, each with the reason for its number.

/** A session silent this long is dead: its open inodes are released. */
export const SESSION_DEAD_AFTER_MS = 60_000;
/** Sessions of one server: a bound on memory, far above what one server can serve. */
export const MAX_SESSIONS = 20_000;
/**
 * After a start that may have lost something, clients have this long to tell what they still know:
 * they connect at least once a second.
 */
export const RECOVERY_PATIENCE_MS = 5000;
/** What they tell may take so much memory until then; beyond it nobody else is waited for. */
export const MAX_REDO_BYTES_HELD = 256 * 1024 * 1024;
/** Changes done again in one go, so that one append of the store carries many. */
export const REDOS_AT_ONCE = 256;
/** A client that has changed something hears so often how much of it is on disk. */
export const DURABLE_PUSH_CADENCE_MS = 500;
