// Bounds of storage/http, each with the reason for its number.
import { invariant } from "../../domain/invariant.ts";
import { GET_IDLE_TIMEOUT_MS } from "../../protocol/shard/limits.ts";

/** An idle connection to a node stays this long; its clients close theirs a little earlier. */
export const NODE_KEEP_ALIVE_MS = 75_000;
/** A request must have arrived whole by then: 4 MiB at 140 KiB/s. */
export const NODE_REQUEST_TIMEOUT_MS = 30_000;
/** A stopping node waits this long for answers under way. */
export const NODE_STOP_GRACE_MS = 2000;
/** A reader who leaves 512 KiB to us for so long gets no better with waiting: others go first. */
export const READER_PATIENCE_MS = 250;
/** By then he must have taken them, at 50 KiB/s, or his connection is cut. */
export const READER_TIMEOUT_MS = 10_000;
/** Readers that are waited for without a buffer of the common ones: 16 MiB of their own. */
export const MAX_STALLED_READERS = 32;

invariant(READER_TIMEOUT_MS - READER_PATIENCE_MS > 0, "others go first before a reader is cut");
invariant(NODE_KEEP_ALIVE_MS - GET_IDLE_TIMEOUT_MS > 0, "clients close idle connections first");
