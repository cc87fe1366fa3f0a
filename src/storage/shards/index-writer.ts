// Group commit of the index: the changes that come while a transaction is under way share the next
// one, and one that fails takes nothing but its own changes with it. Of senders that wait for each
// answer half would come during one transaction and half during the next, so the next one is held
// back a little, until those who were just answered are there again.
import { FsError } from "../../domain/errno.ts";
import { passViolation } from "../../domain/invariant.ts";
import {
  INDEX_HOLD_PAUSE,
  MAX_INDEX_BATCH,
  MAX_INDEX_HOLD_MS,
  MIN_INDEX_HOLD_MS,
} from "./limits.ts";
import { nextTurn, type Clock } from "../../platform/clock.ts";
import { deferred } from "../../platform/flow/deferred.ts";
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

type WriterClock = Pick<Clock, "monotonicMs" | "sleep" | "soon">;

export class IndexWriter {
  readonly #store: OrderedStore;
  readonly #clock: WriterClock;
  #queue: Queued[] = [];
  #draining = false;
  /** Changes to be there before the next transaction, unless that time comes first. */
  #expected = 0;
  #holdUntilMs = -Infinity;
  /** Transactions that aren't held back, since the last hold was in vain. */
  #holdPause = 0;
  /** Ends the hold under way. */
  #endHold: (() => void) | undefined;

  constructor(store: OrderedStore, clock: WriterClock) {
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
      if (this.#queue.length >= this.#expected) this.#endHold?.();
      if (this.#draining) return;
      this.#draining = true;
      // What else this turn of the event loop brings goes along.
      this.#clock.soon(() => void this.#drain());
    });
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      await this.#hold();
      const batch = this.#queue.splice(0, MAX_INDEX_BATCH);
      const startMs = this.#clock.monotonicMs();
      const error = await this.#commit(batch);
      const endMs = this.#clock.monotonicMs();
      if (error !== undefined) for (const change of batch.toReversed()) change.revert();
      for (const change of batch) change.settle(error);
      this.#expected = Math.min(MAX_INDEX_BATCH, batch.length + this.#queue.length);
      // What is won, at best, is a transaction.
      const tookMs = endMs - startMs;
      const holdMs = Math.min(MAX_INDEX_HOLD_MS, Math.max(MIN_INDEX_HOLD_MS, tookMs / 2));
      this.#holdUntilMs = tookMs < MIN_INDEX_HOLD_MS ? -Infinity : endMs + holdMs;
    }
    this.#draining = false;
  }

  /** Resolves when the changes that are expected are there, or needn't be waited for any more. */
  async #hold(): Promise<void> {
    const restMs = this.#holdUntilMs - this.#clock.monotonicMs();
    if (restMs <= 0 || this.#queue.length >= this.#expected) return;
    if (this.#holdPause > 0) {
      this.#holdPause--;
      return;
    }
    const { promise, resolve } = deferred<boolean>();
    this.#endHold = () => resolve(true);
    // Not `after`: a process that ends when it has nothing else to do must not end here.
    void this.#clock.sleep(restMs).then(() => resolve(false));
    const areThere = await promise;
    this.#endHold = undefined;
    if (areThere) await nextTurn(this.#clock);
    else this.#holdPause = INDEX_HOLD_PAUSE;
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
