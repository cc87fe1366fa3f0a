// Bounds of meta/session, each with the reason for its number.

/** A session silent this long is dead: its open inodes are released. */
export const SESSION_DEAD_AFTER_MS = 60_000;
/** Sessions of one server: a bound on memory, far above what one server can serve. */
export const MAX_SESSIONS = 20_000;
