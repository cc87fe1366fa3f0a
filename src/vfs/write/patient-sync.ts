// Durability with patience: where a node has just died, the others can't make up for it before the
// cluster map calls it down, and an fsync that failed meanwhile would be a false alarm that
// databases die of.
import type { BlockStore } from "../../stripes/block-store.ts";
import { isFsError } from "../../domain/errno.ts";
import type { BlockRef } from "../../domain/layout.ts";
import { PUT_RETRY_TIMEOUT_MS } from "./limits.ts";
import type { Clock } from "../../platform/clock.ts";

const RETRY_CADENCE_MS = 500;

export class PatientSync {
  readonly #blocks: BlockStore;
  readonly #clock: Clock;

  constructor(blocks: BlockStore, clock: Clock) {
    this.#blocks = blocks;
    this.#clock = clock;
  }

  /** @throws FsError of syncBlocks when it goes on failing for as long as a put may */
  async syncBlocks(refs: readonly BlockRef[]): Promise<void> {
    const beganMs = this.#clock.monotonicMs();
    for (;;) {
      try {
        await this.#blocks.syncBlocks(refs);
        return;
      } catch (error) {
        const waitedMs = this.#clock.monotonicMs() - beganMs;
        if (!isFsError(error, "EIO", "ETIMEDOUT") || waitedMs >= PUT_RETRY_TIMEOUT_MS) throw error;
      }
      await this.#clock.sleep(RETRY_CADENCE_MS);
    }
  }
}
