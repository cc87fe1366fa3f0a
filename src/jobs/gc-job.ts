// gc: deletes what nothing references. Unlinked inodes lose their extents, slices whose last
// reference went lose their shards. Shards no slice ever owned are repair's survey's to find.
import {
  DEAD_SLICE_GRACE_MS,
  GC_INTERVAL_MS,
  GC_REAP_PER_STEP,
  GC_SLICES_PER_STEP,
} from "./limits.ts";
import { blockCount, blockLengthBytes, type BlockRef } from "../domain/layout.ts";
import type { BlockStore } from "../stripes/block-store.ts";
import type { Job, JobCounts } from "./job.ts";
import type { DeadSlice, SliceLedger } from "./slice-ledger.ts";

export interface GcOptions {
  ledger: SliceLedger;
  blocks: Pick<BlockStore, "deleteBlocks">;
  graceMs?: number;
  /** Called when sessions left ids behind, so that a survey of every group is due. */
  onAbandonedRanges: () => void;
}

export class GcJob implements Job {
  readonly name = "gc";
  readonly intervalMs = GC_INTERVAL_MS;
  readonly #options: GcOptions;
  #deleted = 0;

  constructor(options: GcOptions) {
    this.#options = options;
  }

  /** In slices. */
  counts(): JobCounts {
    return { waiting: this.#options.ledger.waiting, done: this.#deleted };
  }

  async pass(signal: AbortSignal): Promise<"done" | "more"> {
    const { ledger, blocks, graceMs = DEAD_SLICE_GRACE_MS, onAbandonedRanges } = this.#options;
    const reaped = await ledger.reap(GC_REAP_PER_STEP);
    const dead = await ledger.deadSlices(GC_SLICES_PER_STEP, graceMs);
    if (dead.length > 0) {
      await blocks.deleteBlocks(dead.flatMap(blocksOf), signal);
      await ledger.forgetSlices(dead);
      this.#deleted += dead.length;
    }
    if ((await ledger.abandonedRanges()).size > 0) onAbandonedRanges();
    return reaped >= GC_REAP_PER_STEP || dead.length >= GC_SLICES_PER_STEP ? "more" : "done";
  }
}

function blocksOf({ slice, pool, storedBytes }: DeadSlice): BlockRef[] {
  return Array.from({ length: blockCount(storedBytes) }, (_, index) => ({
    pool,
    slice,
    index,
    lengthBytes: blockLengthBytes(storedBytes, index),
  }));
}
