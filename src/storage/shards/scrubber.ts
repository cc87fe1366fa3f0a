// A node's own slow check of everything it keeps: shard after shard at a set pace, for ever, going
// on where the last start left off. What doesn't match is set aside and reported by the store.
import { FsError } from "../../domain/errno.ts";
import type { ShardId } from "../../domain/ids.ts";
import { passViolation } from "../../domain/invariant.ts";
import { SCRUB_BATCH_BYTES, SCRUB_PASS_INTERVAL_MS } from "./limits.ts";
import type { Log } from "../../observability/log.ts";
import { nextTurn, type Clock } from "../../platform/clock.ts";
import type { RoutineWork } from "../../platform/flow/routine.ts";
import { readShardKey, SHARD_KEY_BYTES, shardKey } from "../../protocol/shard/shard-key.ts";
import type { ShardStore } from "./shard-store.ts";

export interface ScrubberOptions {
  store: ShardStore;
  clock: Clock;
  log: Log;
  /** Reading pace; more than 0. */
  bytesPerSecond: number;
}

/** Name of the scrub's position among the store's walks. */
const WALK = "scrub";

export class Scrubber implements RoutineWork {
  readonly #options: ScrubberOptions;

  constructor(options: ScrubberOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { store, clock, log } = this.#options;
    try {
      const leftovers = await this.#attempt(store.sweepLeftovers(signal), signal);
      if (leftovers !== undefined && leftovers > 0)
        log.info({ leftovers }, "removed files that a crash had left");
      let position = decodePosition(store.walkPosition(WALK));
      for (;;) {
        position = await this.#checkSome(position, signal);
        await this.#attempt(store.keepWalkPosition(WALK, encodePosition(position)), signal);
        if (position === undefined) await clock.sleep(SCRUB_PASS_INTERVAL_MS, signal);
      }
    } catch (error) {
      passViolation(error);
      if (!signal.aborted) log.error({ err: error }, "scrub failed");
    }
  }

  /** Checks about SCRUB_BATCH_BYTES from behind `after`, in as long as the pace asks for. */
  async #checkSome(after: ShardId | undefined, signal: AbortSignal): Promise<ShardId | undefined> {
    const { store, clock, bytesPerSecond } = this.#options;
    const startMs = clock.monotonicMs();
    let at = after;
    let checkedBytes = 0;
    while (checkedBytes < SCRUB_BATCH_BYTES) {
      const shard = store.next(at);
      at = shard?.id;
      if (shard === undefined) break;
      await this.#attempt(store.secure([shard.id], "every", signal), signal);
      await nextTurn(clock);
      checkedBytes += shard.sizeBytes;
    }
    const dueMs = startMs + (checkedBytes / bytesPerSecond) * 1000;
    await clock.sleep(Math.max(0, dueMs - clock.monotonicMs()), signal);
    return at;
  }

  /** A disk that fails one step says nothing of the next; the next pass tries it again. */
  async #attempt<T>(step: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    try {
      return await step;
    } catch (error) {
      if (signal.aborted || !(error instanceof FsError)) throw error;
      this.#options.log.warn({ err: error }, "the scrub can't do this now, and goes on");
      return undefined;
    }
  }
}

function encodePosition(id: ShardId | undefined): Buffer {
  return id === undefined ? Buffer.alloc(1) : shardKey(id);
}

function decodePosition(bytes: Buffer | undefined): ShardId | undefined {
  return bytes?.length === SHARD_KEY_BYTES ? readShardKey(bytes, 0) : undefined;
}
