// A node brings to disk by itself what nobody asks it to, a few seconds after it has come: whoever
// loses a node's power loses no more than that. At its start it looks at what the last one had not
// brought that far.
import { passViolation } from "../../domain/invariant.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import { SELF_FLUSH_CADENCE_MS } from "./limits.ts";
import type { ShardStore } from "./shard-store.ts";

export interface SelfFlushOptions {
  store: Pick<ShardStore, "acknowledged" | "flush" | "secureEarlier">;
  clock: Pick<Clock, "monotonicMs" | "sleep">;
  log: Log;
}

export class SelfFlush implements AsyncDisposable {
  readonly #options: SelfFlushOptions;
  readonly #stopped = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: SelfFlushOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = Promise.all([this.#secureEarlier(), this.#run()]);
  }

  /** What is left to flush is left to the store's own close. */
  async close(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #secureEarlier(): Promise<void> {
    const { store, log } = this.#options;
    try {
      const lost = await store.secureEarlier(this.#stopped.signal);
      if (lost > 0) log.warn({ lost }, "shards that the last start had not flushed are lost");
    } catch (error) {
      passViolation(error);
      if (!this.#isStopped) log.error({ err: error }, "the last start's shards can't be checked");
    }
  }

  /** What a round has found acknowledged is flushed by the next one: it has time to be deleted. */
  async #run(): Promise<void> {
    const { store, clock, log } = this.#options;
    let due = store.acknowledged();
    while (!this.#isStopped) {
      const startMs = clock.monotonicMs();
      const next = store.acknowledged();
      // What failed is tried again with the next round, and is not called flushed before.
      try {
        await store.flush(due);
        due = next;
      } catch (error) {
        passViolation(error);
        log.error({ err: error }, "shards can't be flushed");
      }
      const restMs = startMs + SELF_FLUSH_CADENCE_MS - clock.monotonicMs();
      await clock.sleep(Math.max(0, restMs), this.#stopped.signal).catch(() => undefined);
    }
  }

  get #isStopped(): boolean {
    return this.#stopped.signal.aborted;
  }
}
