// Builds what the files of one mount share. Whoever uses some of it says what in an interface of
// its own; only the VFS has it all.
import type { BlockStore } from "../../stripes/block-store.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import type { MetaSession } from "../../protocol/meta/meta-service.ts";
import { BufferPool } from "../buffer-pool.ts";
import { Beliefs } from "../coherence/beliefs.ts";
import type { Geometry } from "../geometry.ts";
import { MAX_POOLED_BYTES } from "../limits.ts";
import { BlockReader } from "../read/block-reader.ts";
import { DirtyBudget } from "../write/dirty-budget.ts";
import { FileDurability } from "../write/file-durability.ts";
import { PutPipeline } from "../write/put-pipeline.ts";
import { SliceAllocator } from "../write/slice-allocator.ts";
import { Writeback } from "../write/writeback.ts";
import { RollbackLosses } from "./rollback-losses.ts";

const ZEROS_BYTES = 256 * 1024;

export interface MountContextOptions {
  readonly meta: MetaSession;
  readonly blocks: BlockStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly geometry: Geometry;
  readonly attrCacheMs: number;
  readonly cacheBytes: number;
  readonly maxDirtyBytes: number;
}

export type MountContext = ReturnType<typeof createMountContext>;

export function createMountContext(options: MountContextOptions) {
  const { meta, blocks, clock, log, geometry, attrCacheMs } = options;
  const pool = new BufferPool(clock, MAX_POOLED_BYTES);
  const budget = new DirtyBudget(options.maxDirtyBytes);
  return {
    meta,
    blocks,
    clock,
    log,
    geometry,
    pool,
    budget,
    beliefs: new Beliefs({ meta, clock, attrCacheMs }),
    losses: new RollbackLosses(meta, log),
    pipeline: new PutPipeline(blocks, clock),
    sliceIds: new SliceAllocator(() => meta.allocateSlices()),
    durability: new FileDurability({ meta, blocks, clock, geometry }),
    writeback: new Writeback(clock, budget),
    reader: new BlockReader(blocks, pool, geometry, options.cacheBytes),
    zeros: Buffer.alloc(ZEROS_BYTES),
  };
}
