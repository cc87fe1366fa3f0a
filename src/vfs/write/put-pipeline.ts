// Blocks on their way to the nodes: a bounded number in flight, the rest in line, failures tried
// again.
import type { BlockStore } from "../../stripes/block-store.ts";
import { isFsError } from "../../domain/errno.ts";
import type { BlockRef } from "../../domain/layout.ts";
import { MAX_PUT_BYTES_IN_FLIGHT, MAX_PUTS_IN_FLIGHT } from "../../stripes/limits.ts";
import { PUT_RETRY_TIMEOUT_MS } from "./limits.ts";
import type { Clock } from "../../platform/clock.ts";

const FIRST_RETRY_DELAY_MS = 100;
const LAST_RETRY_DELAY_MS = 1000;

interface Put {
  ref: BlockRef;
  data: Uint8Array;
  resolve: () => void;
  reject: (error: unknown) => void;
}

export class PutPipeline {
  readonly #blocks: BlockStore;
  readonly #clock: Clock;
  #waiting: Put[] = [];
  #head = 0;
  #inFlight = 0;
  #bytesInFlight = 0;
  /**
   * When puts began to fail without one success since: an outage is waited out once, not per block.
   */
  #failingSinceMs: number | undefined;

  constructor(blocks: BlockStore, clock: Clock) {
    this.#blocks = blocks;
    this.#clock = clock;
  }

  /**
   * Resolves when the block stands. `data` must not change until then. @throws FsError of putBlock
   */
  put(ref: BlockRef, data: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ref, data, resolve, reject });
      this.#advance();
    });
  }

  #advance(): void {
    for (;;) {
      const next = this.#waiting[this.#head];
      if (next === undefined) {
        this.#waiting = [];
        this.#head = 0;
        return;
      }
      const bytes = next.ref.lengthBytes;
      const fits = this.#bytesInFlight + bytes <= MAX_PUT_BYTES_IN_FLIGHT;
      if ((!fits && this.#inFlight > 0) || this.#inFlight >= MAX_PUTS_IN_FLIGHT) return;
      this.#head += 1;
      this.#inFlight += 1;
      this.#bytesInFlight += bytes;
      void this.#run(next);
    }
  }

  async #run(put: Put): Promise<void> {
    try {
      await this.#putWithRetry(put);
      put.resolve();
    } catch (error) {
      put.reject(error);
    }
    this.#inFlight -= 1;
    this.#bytesInFlight -= put.ref.lengthBytes;
    this.#advance();
  }

  async #putWithRetry(put: Put): Promise<void> {
    for (let delayMs = FIRST_RETRY_DELAY_MS; ; delayMs *= 2) {
      try {
        await this.#blocks.putBlock(put.ref, put.data);
        this.#failingSinceMs = undefined;
        return;
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
