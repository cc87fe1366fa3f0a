// Bounds the blocks that are being put, by bytes. Small ones count for so much that their number is
// bounded as well.
import type { BlockRef } from "../domain/layout.ts";
import { WorkLimit } from "../platform/flow/work-limit.ts";
import { MAX_PUT_BYTES_IN_FLIGHT, MAX_PUTS_IN_FLIGHT } from "./limits.ts";

const LEAST_WEIGHT_BYTES = MAX_PUT_BYTES_IN_FLIGHT / MAX_PUTS_IN_FLIGHT;

export class PutLimit {
  readonly #bytes = new WorkLimit(MAX_PUT_BYTES_IN_FLIGHT);

  /** Runs `work` when the block fits. @throws the signal's reason when it ends the wait */
  run<T>(ref: BlockRef, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    return this.#bytes.run(Math.max(ref.lengthBytes, LEAST_WEIGHT_BYTES), signal, work);
  }
}
