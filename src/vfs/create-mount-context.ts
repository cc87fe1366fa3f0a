// Builds what the files of one mount share.
import {
  BLOCK_BYTES,
  EXTENT_CACHE_BYTES,
  MAX_BLOCKS_IN_FLIGHT,
  MAX_POOLED_BYTES,
  MAX_UNSYNCED_BLOCKS,
} from "../domain/limits.ts";
import { XattrLessInodes } from "./xattr-less-inodes.ts";
import { BlockReader } from "./block-reader.ts";
import { BufferPool } from "./buffer-pool.ts";
import { CopiedRanges } from "./copied-ranges.ts";
import { DirtyBudget } from "./dirty-budget.ts";
import { ExtentCache } from "./extent-cache.ts";
import { ChangeCounter, type MountContext } from "./mount-context.ts";
import { PatientSync } from "./patient-sync.ts";
import { PutPipeline } from "./put-pipeline.ts";
import { SliceAllocator } from "./slice-allocator.ts";
import { UnsyncedBlocks } from "./unsynced-blocks.ts";
import { Writeback } from "./writeback.ts";

const ZEROS_BYTES = 256 * 1024;

export interface MountContextOptions extends Pick<
  MountContext,
  "meta" | "blocks" | "clock" | "log" | "geometry" | "attrCacheMs"
> {
  cacheBytes: number;
  maxDirtyBytes: number;
}

export function createMountContext(options: MountContextOptions): MountContext {
  const { meta, blocks, clock, log, geometry, attrCacheMs } = options;
  const pool = new BufferPool(clock, MAX_POOLED_BYTES);
  const sync = new PatientSync(blocks, clock);
  const nameChanges = new ChangeCounter();
  const budget = new DirtyBudget(options.maxDirtyBytes);
  return {
    meta,
    blocks,
    clock,
    log,
    geometry,
    attrCacheMs,
    pool,
    budget,
    pipeline: new PutPipeline(blocks, clock, MAX_BLOCKS_IN_FLIGHT * BLOCK_BYTES),
    sliceIds: new SliceAllocator(() => meta.allocateSlices()),
    unsynced: new UnsyncedBlocks({
      blocks: sync,
      meta,
      clock,
      log,
      maxBlocks: MAX_UNSYNCED_BLOCKS,
    }),
    copied: new CopiedRanges(meta, sync, log, geometry),
    writeback: new Writeback(clock, budget),
    extentCache: new ExtentCache(EXTENT_CACHE_BYTES),
    reader: new BlockReader(blocks, pool, geometry, options.cacheBytes),
    zeros: Buffer.alloc(ZEROS_BYTES),
    changes: new ChangeCounter(),
    nameChanges,
    xattrLess: new XattrLessInodes({ clock, attrCacheMs, nameChanges }),
  };
}
