// Bounds of stripes/nodes, each with the reason for its number.

/** After this long without an answer a spare shard is asked for beside the slow one. */
export const SHARD_HEDGE_AFTER_MS = 150;
/** On a node that is always slow the spare is asked for after this long at the most. */
export const MAX_SHARD_HEDGE_AFTER_MS = 500;
/** An open breaker lets one probe through this often. */
export const BREAKER_PROBE_INTERVAL_MS = 1000;
/**
 * A probe unanswered this long fails; with the ping's delay a hung node is known within a second.
 */
export const BREAKER_PROBE_TIMEOUT_MS = 500;
/** A node with requests outstanding that is silent this long is asked for a sign of life. */
export const NODE_QUIET_PING_MS = 400;
/** Outstanding requests of a node are looked at this often. */
export const NODE_WATCH_INTERVAL_MS = 100;
/** A look this late means that this process was held up: it says nothing about the node. */
export const NODE_WATCH_LATE_MS = 100;
/** A node that answers but was full, or dawdled, is left out this long, twice as long each time… */
export const NODE_AVOID_MS = 1000;
/** …up to this: by then an operator should have looked. */
export const NODE_AVOID_MAX_MS = 30_000;
