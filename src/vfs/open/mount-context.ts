// What all files of one mount share. Built by DfsVfs, given to every part.
import type { BlockStore } from "../../stripes/block-store.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import type { MetaSession } from "../../protocol/meta/meta-service.ts";
import type { XattrLessInodes } from "../coherence/xattr-less-inodes.ts";
import type { BlockReader } from "../read/block-reader.ts";
import type { BufferPool } from "../buffer-pool.ts";
import type { CopiedRanges } from "./copied-ranges.ts";
import type { DirtyBudget } from "../write/dirty-budget.ts";
import type { ExtentCache } from "../coherence/extent-cache.ts";
import type { Geometry } from "../geometry.ts";
import type { PutPipeline } from "../write/put-pipeline.ts";
import type { SliceAllocator } from "../write/slice-allocator.ts";
import type { UnsyncedBlocks } from "../write/unsynced-blocks.ts";
import type { Writeback } from "../write/writeback.ts";

export interface MountContext {
  readonly meta: MetaSession;
  readonly blocks: BlockStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly geometry: Geometry;
  readonly attrCacheMs: number;
  readonly pool: BufferPool;
  readonly budget: DirtyBudget;
  readonly pipeline: PutPipeline;
  readonly sliceIds: SliceAllocator;
  readonly unsynced: UnsyncedBlocks;
  readonly copied: CopiedRanges;
  readonly writeback: Writeback;
  readonly extentCache: ExtentCache;
  readonly reader: BlockReader;
  /** What holes are read from; never written to. */
  readonly zeros: Uint8Array;
  /** Own changes of files that were acknowledged. */
  readonly changes: ChangeCounter;
  /** Own changes of names, which change link counts of inodes they don't name. */
  readonly nameChanges: ChangeCounter;
  readonly xattrLess: XattrLessInodes;
}

/** When a request was made, to tell whether its reply is older than something known since. */
export interface AskedAt {
  readonly change: number;
  readonly nameChange: number;
  /** Monotonic. */
  readonly ms: number;
}

export function askedNow(context: MountContext): AskedAt {
  return {
    change: context.changes.now,
    nameChange: context.nameChanges.now,
    ms: context.clock.monotonicMs(),
  };
}

/** Numbers this mount's own changes, to tell which replies may be older than they are. */
export class ChangeCounter {
  #value = 0;

  /** Number of the latest change. */
  get now(): number {
    return this.#value;
  }

  next(): number {
    this.#value += 1;
    return this.#value;
  }
}
