// Builds what the files of one mount share.
import { EXTENT_CACHE_BYTES } from "../coherence/limits.ts";
import { MAX_POOLED_BYTES } from "../limits.ts";
import { MAX_UNSYNCED_BLOCKS } from "../write/limits.ts";
import { XattrLessInodes } from "../coherence/xattr-less-inodes.ts";
import { BlockReader } from "../read/block-reader.ts";
import { BufferPool } from "../buffer-pool.ts";
import { CopiedRanges } from "./copied-ranges.ts";
import { DirtyBudget } from "../write/dirty-budget.ts";
import { ExtentCache } from "../coherence/extent-cache.ts";
import { ChangeCounter, type MountContext } from "./mount-context.ts";
import { PatientSync } from "../write/patient-sync.ts";
import { PutPipeline } from "../write/put-pipeline.ts";
import { SliceAllocator } from "../write/slice-allocator.ts";
import { UnsyncedBlocks } from "../write/unsynced-blocks.ts";
import { Writeback } from "../write/writeback.ts";

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
    pipeline: new PutPipeline(blocks, clock),
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
