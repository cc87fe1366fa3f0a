// Relations between limits of rooms that don't know one another, checked when a process starts.
import { CHUNK_BYTES } from "../domain/format.ts";
import { invariant } from "../domain/invariant.ts";
import { HEARTBEAT_INTERVAL_MS } from "../domain/limits.ts";
import { DEAD_SLICE_GRACE_MS } from "../jobs/limits.ts";
import { NODE_DOWN_AFTER_MS } from "../meta/cluster/limits.ts";
import { NUMBERS_WAITED_BELOW } from "../meta/namespace/limits.ts";
import { MAX_SESSIONS, SESSION_DEAD_AFTER_MS } from "../meta/session/limits.ts";
import {
  MAX_KEPT_BYTES,
  MAX_KEPT_CHANGES,
  MAX_REDO_BYTES,
  MAX_REDO_CHANGES,
  MAX_REPLY_SLOTS,
  MAX_RPC_FRAME_BYTES,
  RPC_MISSED_HEARTBEATS,
} from "../protocol/rpc/limits.ts";
import {
  REGISTER_BACKOFF_MAX_MS,
  REGISTER_TIMEOUT_MS,
  TAKEN_NAME_PATIENCE_MS,
} from "../storage/membership/limits.ts";
import { MAX_EXTENTS_AGE_MS } from "../vfs/coherence/limits.ts";
import {
  MAX_COMMIT_INLINE_BYTES,
  MAX_DIRTY_BYTES,
  PUT_RETRY_TIMEOUT_MS,
} from "../vfs/write/limits.ts";

invariant(
  MAX_EXTENTS_AGE_MS * 2 < DEAD_SLICE_GRACE_MS,
  "bytes are there for as long as a client believes where they are, and a slow read more",
);
invariant(
  PUT_RETRY_TIMEOUT_MS - NODE_DOWN_AFTER_MS > 0,
  "a write is tried until a dead node is known to be down",
);
invariant(
  REGISTER_TIMEOUT_MS * 2 < NODE_DOWN_AFTER_MS,
  "one lost heartbeat doesn't make a node down",
);
invariant(
  NODE_DOWN_AFTER_MS + HEARTBEAT_INTERVAL_MS + REGISTER_TIMEOUT_MS < TAKEN_NAME_PATIENCE_MS,
  "a node that has moved is let in once the one before is silent",
);
invariant(
  REGISTER_BACKOFF_MAX_MS + REGISTER_TIMEOUT_MS < NODE_DOWN_AFTER_MS,
  "a node that goes on is heard by a server that comes back before another takes its name",
);
invariant(
  RPC_MISSED_HEARTBEATS * HEARTBEAT_INTERVAL_MS * 2 < SESSION_DEAD_AFTER_MS,
  "a client gives a connection up, and has time to come back, before its session is dead",
);
invariant(
  MAX_SESSIONS * MAX_REPLY_SLOTS < NUMBERS_WAITED_BELOW,
  "what is under way when numbers get scarce, a number each, finds enough of them",
);
invariant(
  (MAX_KEPT_BYTES + MAX_DIRTY_BYTES) * 2 <= MAX_REDO_BYTES &&
    (MAX_KEPT_CHANGES + MAX_REPLY_SLOTS) * 2 <= MAX_REDO_CHANGES,
  "a server takes back all that a client may have",
);
invariant(MAX_COMMIT_INLINE_BYTES * 2 < MAX_RPC_FRAME_BYTES, "a commit fits into one frame");
invariant(MAX_DIRTY_BYTES >= CHUNK_BYTES, "one file may have a chunk of dirty data");
