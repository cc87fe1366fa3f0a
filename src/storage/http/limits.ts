// Bounds of storage/http, each with the reason for its number.
import { invariant } from "../../domain/invariant.ts";
import { GET_IDLE_TIMEOUT_MS } from "../../protocol/shard/limits.ts";

/** An idle connection to a node stays this long; its clients close theirs a little earlier. */
export const NODE_KEEP_ALIVE_MS = 75_000;
/** A request must have arrived whole by then: 4 MiB at 140 KiB/s. */
export const NODE_REQUEST_TIMEOUT_MS = 30_000;
/** A stopping node waits this long for answers under way. */
export const NODE_STOP_GRACE_MS = 2000;

invariant(NODE_KEEP_ALIVE_MS - GET_IDLE_TIMEOUT_MS > 0, "clients close idle connections first");
