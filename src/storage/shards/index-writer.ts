// Group commit of the index: the changes that come while a transaction is under way share the next
// one, and one that fails takes nothing but its own changes with it.
import { FsError } from "../../domain/errno.ts";
import { passViolation } from "../../domain/invariant.ts";
import { MAX_INDEX_BATCH } from "./limits.ts";
import type { Clock } from "../../platform/clock.ts";
import type { OrderedStore, StoreBatch } from "../../platform/store/ordered-store.ts";

export interface IndexChange {
  /** Makes the change's writes; called within a transaction. */
  write: (batch: StoreBatch) => void;
  /** Takes back what `write` has done in memory, when the transaction fails. */
  revert: () => void;
}

interface Queued extends IndexChange {
  settle: (error?: FsError) => void;
}

export class IndexWriter {
  readonly #store: OrderedStore;
  readonly #clock: Pick<Clock, "soon">;
  #queue: Queued[] = [];
  #draining = false;

  constructor(store: OrderedStore, clock: Pick<Clock, "soon">) {
    this.#clock = clock;
    this.#store = store;
  }

  /**
   * Resolves when the change is committed: a kill of the process can't undo it.
   * @throws FsError ENOSPC, EIO: nothing of it has been done
   */
  apply(change: IndexChange): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: FsError): void => {
        if (error === undefined) resolve();
        else reject(error);
      };
      this.#queue.push({ write: change.write, revert: change.revert, settle });
      if (this.#draining) return;
      this.#draining = true;
      // What else this turn of the event loop brings goes along.
      this.#clock.soon(() => void this.#drain());
    });
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, MAX_INDEX_BATCH);
      const error = await this.#commit(batch);
      if (error !== undefined) for (const change of batch.toReversed()) change.revert();
      for (const change of batch) change.settle(error);
    }
    this.#draining = false;
  }

  async #commit(batch: readonly Queued[]): Promise<FsError | undefined> {
    try {
      await this.#store.write((writes) => {
        for (const change of batch) change.write(writes);
      });
      return undefined;
    } catch (error) {
      passViolation(error);
      if (error instanceof FsError) return error;
      return new FsError("EIO", "the node's index cannot be written", { cause: error });
    }
  }
}
