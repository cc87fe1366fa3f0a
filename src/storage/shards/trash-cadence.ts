// Empties a node's trash of what has been there long enough, once in a while.
import { passViolation } from "../../domain/invariant.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import { TRASH_CADENCE_MS } from "./limits.ts";
import type { ShardStore } from "./shard-store.ts";

export interface TrashCadenceOptions {
  store: Pick<ShardStore, "emptyTrash">;
  clock: Pick<Clock, "sleep">;
  log: Log;
}

export class TrashCadence implements AsyncDisposable {
  readonly #options: TrashCadenceOptions;
  readonly #stopped = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: TrashCadenceOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(): Promise<void> {
    const { store, clock, log } = this.#options;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        const removed = await store.emptyTrash();
        if (removed > 0) log.info({ removed }, "shards left the trash for good");
      } catch (error) {
        passViolation(error);
        log.error({ err: error }, "the trash can't be emptied");
      }
      await clock.sleep(TRASH_CADENCE_MS, signal).catch(() => undefined);
    }
  }
}
