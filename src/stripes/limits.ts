// Bounds of stripes, each with the reason for its number.
import { BLOCK_BYTES } from "../domain/format.ts";
import { invariant } from "../domain/invariant.ts";
import { MAX_PUT_CONNECTIONS } from "../protocol/shard/limits.ts";

/**
 * Once k shards of a stripe stand, a put that takes longer than this is ended and its shard goes
 * elsewhere: a hung node may not stall I/O for more than 2 s, the replacement's put included.
 */
export const STRAGGLER_PATIENCE_MS = 1000;
/** A node that answers others may take this long over one request: slow is not dead. */
export const SHARD_REQUEST_TIMEOUT_MS = 10_000;
/** The same for nodes believed dead, asked only because nobody else has the shard. */
export const LAST_RESORT_TIMEOUT_MS = 500;
/** After a stripe's first failed put the rest has this long: with the patience above below 2 s. */
export const STRIPE_PATIENCE_AFTER_FAILURE_MS = 900;
/** A stripe that stands well enough waits no longer than this for a slow node's shard. */
export const STRIPE_PATIENCE_MS = 1900;
/** Once every block is durable on enough nodes, fsync waits this long for the others. */
export const SYNC_PATIENCE_MS = 500;
/**
 * A hedging timer this late means that this process was held up: what has arrived is taken in
 * first. A third of SHARD_HEDGE_AFTER_MS.
 */
export const HEDGE_LATE_MS = 50;
/** fsync on a busy disk may take long; past this the node counts as failed. */
export const SHARD_SYNC_TIMEOUT_MS = 10_000;
/**
 * User bytes of one mount being coded or sent: 8 whole blocks, which take 48 MiB with their parity
 * and keep six nodes busy.
 */
export const MAX_PUT_BYTES_IN_FLIGHT = 8 * BLOCK_BYTES;
/** Blocks of one mount being coded or sent, however small: none of their puts has to queue. */
export const MAX_PUTS_IN_FLIGHT = MAX_PUT_CONNECTIONS;
/** Blocks that one fsync puts anew at a time. */
export const MAX_HEALS_IN_FLIGHT = 8;
/** Cells of one mount being fetched, decoding's extra ones not counted: 64 MiB, 16 whole blocks. */
export const MAX_CELLS_IN_FLIGHT = 1024;
/** Idle scratch buffers a block store keeps: two shards for each block in flight. */
export const MAX_SCRATCH_RETAINED_BYTES = 16 * 1024 * 1024;
/** Blocks whose nodes a client remembers until they are synced: 64 GiB, a few MiB of memory. */
export const MAX_BLOCK_STANDINGS = 16_384;
/** Shards remembered to stand elsewhere than placement says, until repair has moved them. */
export const MAX_STRAYS_REMEMBERED = 16_384;
/** Nodes asked at once in a broadcast (search, gc). */
export const MAX_BROADCAST_NODES = 16;
/** Damage findings are gathered this long before they are sent. */
export const DAMAGE_BATCH_DELAY_MS = 1000;
export const MAX_DAMAGE_BATCH = 256;
/** The same finding isn't sent again within this time: repair needs a while. */
export const DAMAGE_REPEAT_AFTER_MS = 60_000;
/** Findings remembered so as not to repeat them. */
export const MAX_DAMAGE_REMEMBERED = 8192;
/** Blocks of one syncBlocks call; a node gets their shards in requests of MAX_SECURE_SHARDS. */
export const MAX_SYNC_BLOCKS = 1024;

invariant(
  Math.max(STRAGGLER_PATIENCE_MS + STRIPE_PATIENCE_AFTER_FAILURE_MS, STRIPE_PATIENCE_MS) < 2000,
  "a hung node holds a write up for less than 2 s",
);
