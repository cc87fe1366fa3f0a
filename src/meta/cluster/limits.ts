// Bounds of meta/cluster, each with the reason for its number.
import { invariant } from "../../domain/invariant.ts";
import { HEARTBEAT_INTERVAL_MS } from "../../domain/limits.ts";

/** Missed heartbeats before a node is `down`: five tolerate a garbage collection or a busy disk. */
export const NODE_DOWN_AFTER_MS = 5000;
/** `down` this long becomes `out` and its share is rebuilt: longer than a reboot. */
export const NODE_OUT_AFTER_MS = 600_000;
/**
 * A map stays in the history this long after it was replaced: slower than any write still using it.
 */
export const MAP_HISTORY_GRACE_MS = 300_000;
/** Damaged shards remembered for each placement group; more only says "look at the whole group". */
export const MAX_DAMAGE_PER_GROUP = 64;

invariant(HEARTBEAT_INTERVAL_MS * 2 < NODE_DOWN_AFTER_MS, "a lost heartbeat is no dead node");
invariant(NODE_OUT_AFTER_MS - NODE_DOWN_AFTER_MS > 0, "a node is down before it is out");
