// Empties a node's trash of what has been there long enough, once in a while.
import { passViolation } from "../../domain/invariant.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import type { RoutineWork } from "../../platform/flow/routine.ts";
import { TRASH_CADENCE_MS } from "./limits.ts";
import type { ShardStore } from "./shard-store.ts";

export interface TrashCadenceOptions {
  store: Pick<ShardStore, "emptyTrash">;
  clock: Pick<Clock, "sleep">;
  log: Log;
}

export class TrashCadence implements RoutineWork {
  readonly #options: TrashCadenceOptions;

  constructor(options: TrashCadenceOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { store, clock, log } = this.#options;
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
