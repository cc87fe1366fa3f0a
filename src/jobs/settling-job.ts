// Settling: has the nodes write to disk what files cite and nobody has synced, and notes it, so
// that an fsync finds little left to do. Nodes do it by themselves as well; here it becomes known.
import type { BlockStore } from "../stripes/block-store.ts";
import { passViolation } from "../domain/invariant.ts";
import { sliceBlocks } from "../domain/layout.ts";
import type { Clock } from "../platform/clock.ts";
import type { SlicePlace, UnsettledSlice } from "../protocol/meta/meta-service.ts";
import { MAX_SYNC_BLOCKS } from "../stripes/limits.ts";
import { paceAfter, type Job, type JobCounts, type PassOutcome } from "./job.ts";
import { SETTLE_AFTER_MS, SETTLE_FAILURES_PER_PASS, SETTLE_INTERVAL_MS } from "./limits.ts";

/** What the job asks the metadata. The metadata server's composition implements it. */
export interface SettlingLedger {
  /**
   * A page of the walk over what isn't settled, behind `after` or from the start: what has been so
   * for `ageMs`, and where to go on; nothing at the end.
   */
  unsettled(
    after: SlicePlace | undefined,
    ageMs: number,
  ): Promise<{ found: readonly UnsettledSlice[]; next: SlicePlace | undefined }>;
  settle(slices: readonly SlicePlace[]): Promise<void>;
}

export interface SettlingOptions {
  ledger: SettlingLedger;
  blocks: Pick<BlockStore, "syncBlocks">;
  clock: Clock;
}

export class SettlingJob implements Job {
  readonly name = "settling";
  readonly intervalMs = SETTLE_INTERVAL_MS;
  readonly #options: SettlingOptions;
  /** Where the walk goes on. What can't be settled must not keep it from what is behind. */
  #after: SlicePlace | undefined;
  #settled = 0;
  /** Slices that this walk could not settle, and the last one. */
  #failed = 0;
  #waiting = 0;

  constructor(options: SettlingOptions) {
    this.#options = options;
  }

  counts(): JobCounts {
    return { waiting: this.#waiting, done: this.#settled };
  }

  async pass(signal: AbortSignal): Promise<PassOutcome> {
    const { ledger, clock } = this.#options;
    const beganMs = clock.monotonicMs();
    const { found, next } = await ledger.unsettled(this.#after, SETTLE_AFTER_MS);
    try {
      await this.#settle(found, signal);
    } catch (error) {
      passViolation(error);
      signal.throwIfAborted();
      await this.#settleEach(found, signal);
    }
    this.#after = next;
    if (next !== undefined) return paceAfter(clock.monotonicMs() - beganMs);
    this.#waiting = this.#failed;
    this.#failed = 0;
    return "done";
  }

  /** One block that can't be made durable fails a whole request: finds out which. */
  async #settleEach(slices: readonly UnsettledSlice[], signal: AbortSignal): Promise<void> {
    let failures = 0;
    for (const slice of slices) {
      this.#after = slice;
      try {
        await this.#settle([slice], signal);
      } catch (error) {
        passViolation(error);
        signal.throwIfAborted();
        failures += 1;
        this.#failed += 1;
        // The cluster is ill: the next pass goes on from here, later.
        if (failures === SETTLE_FAILURES_PER_PASS) throw error;
      }
    }
  }

  async #settle(slices: readonly UnsettledSlice[], signal: AbortSignal): Promise<void> {
    const refs = slices.flatMap((slice) => sliceBlocks(slice));
    for (let from = 0; from < refs.length; from += MAX_SYNC_BLOCKS) {
      await this.#options.blocks.syncBlocks(refs.slice(from, from + MAX_SYNC_BLOCKS), signal);
    }
    if (slices.length === 0) return;
    await this.#options.ledger.settle(slices);
    this.#settled += slices.length;
  }
}
