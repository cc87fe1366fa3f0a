// Blocks on their way to the nodes: a bounded number in flight, the rest in line, failures tried
// again.
import type { BlockStore } from "../../stripes/block-store.ts";
import { isFsError } from "../../domain/errno.ts";
import type { Epoch } from "../../domain/ids.ts";
import type { BlockRef } from "../../domain/layout.ts";
import { PutLimit } from "../../stripes/put-limit.ts";
import { PUT_RETRY_TIMEOUT_MS } from "./limits.ts";
import type { Clock } from "../../platform/clock.ts";

const FIRST_RETRY_DELAY_MS = 100;
const LAST_RETRY_DELAY_MS = 1000;

export class PutPipeline {
  readonly #blocks: BlockStore;
  readonly #clock: Clock;
  /** Those that wait to be tried again count, too: an outage must not let ever more begin. */
  readonly #limit = new PutLimit();
  /**
   * When puts began to fail without one success since: an outage is waited out once, not per block.
   */
  #failingSinceMs: number | undefined;

  constructor(blocks: BlockStore, clock: Clock) {
    this.#blocks = blocks;
    this.#clock = clock;
  }

  /**
   * Resolves as putBlock does. `data` must not change until then. @throws FsError of putBlock
   */
  put(ref: BlockRef, data: Uint8Array): Promise<Epoch> {
    return this.#limit.run(ref, undefined, () => this.#putWithRetry(ref, data));
  }

  async #putWithRetry(ref: BlockRef, data: Uint8Array): Promise<Epoch> {
    for (let delayMs = FIRST_RETRY_DELAY_MS; ; delayMs *= 2) {
      try {
        const epoch = await this.#blocks.putBlock(ref, data);
        this.#failingSinceMs = undefined;
        return epoch;
      } catch (error) {
        const nowMs = this.#clock.monotonicMs();
        this.#failingSinceMs ??= nowMs;
        const passing = isFsError(error, "EIO", "ETIMEDOUT");
        if (!passing || nowMs - this.#failingSinceMs >= PUT_RETRY_TIMEOUT_MS) throw error;
      }
      await this.#clock.sleep(Math.min(delayMs, LAST_RETRY_DELAY_MS));
    }
  }
}
