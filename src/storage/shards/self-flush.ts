// A node brings to disk by itself what nobody asks it to, a few seconds after it has come: whoever
// loses a node's power loses no more than that. At its start it looks at what the last one had not
// brought that far.
import type { FsError } from "../../domain/errno.ts";
import { passViolation } from "../../domain/invariant.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import type { RoutineWork } from "../../platform/flow/routine.ts";
import { SELF_FLUSH_CADENCE_MS } from "./limits.ts";
import type { ShardStore } from "./shard-store.ts";

export interface SelfFlushOptions {
  store: Pick<ShardStore, "acknowledged" | "flush" | "secureEarlier">;
  clock: Pick<Clock, "monotonicMs" | "sleep">;
  log: Log;
}

/** What is left to flush when it ends is left to the store's own close. */
export class SelfFlush implements RoutineWork {
  readonly #options: SelfFlushOptions;

  constructor(options: SelfFlushOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#secureEarlier(signal), this.#flushAgain(signal)]);
  }

  async #secureEarlier(signal: AbortSignal): Promise<void> {
    const { store, log } = this.#options;
    const unclear = (error: FsError): void =>
      log.warn({ err: error }, "a shard that the last start had not flushed can't be checked now");
    try {
      const lost = await store.secureEarlier(unclear, signal);
      if (lost > 0) log.warn({ lost }, "shards that the last start had not flushed are lost");
    } catch (error) {
      passViolation(error);
      if (!signal.aborted) log.error({ err: error }, "the last start's shards can't be checked");
    }
  }

  /** What a round has found acknowledged is flushed by the next one: it has time to be deleted. */
  async #flushAgain(signal: AbortSignal): Promise<void> {
    const { store, clock, log } = this.#options;
    let due = store.acknowledged();
    while (!signal.aborted) {
      const startMs = clock.monotonicMs();
      const next = store.acknowledged();
      try {
        await store.flush(due);
      } catch (error) {
        passViolation(error);
        log.error({ err: error }, "shards can't be flushed");
      }
      // What failed is older, and so tried again with it.
      due = next;
      const restMs = startMs + SELF_FLUSH_CADENCE_MS - clock.monotonicMs();
      await clock.sleep(Math.max(0, restMs), signal).catch(() => undefined);
    }
  }
}
