// Finds the metadata's own copies on storage nodes, without any metadata: their pool, its coding
// and the form of their slices' ids are fixed.
import type { MapNode } from "../../domain/cluster-map.ts";
import {
  COPY_PG_COUNT,
  COPY_POLICY,
  COPY_POOL,
  MAX_BLOCKS_PER_SLICE,
} from "../../domain/format.ts";
import { FsError } from "../../domain/errno.ts";
import { invariant, passViolation } from "../../domain/invariant.ts";
import type { BlockRef } from "../../domain/layout.ts";
import { copyOfSlice, copySlice } from "../../meta/copies/copy-records.ts";
import type { ShardInfo } from "../../protocol/shard/shard-service.ts";
import type { BlockStore } from "../../stripes/block-store.ts";
import type { NodeCalls } from "../node-calls.ts";

export interface FoundCopy {
  readonly number: number;
  /** Slices of which there are shards. */
  readonly parts: number;
  /** From the first block on without a gap; the last may be longer than what was put, by zeroes. */
  readonly blocks: readonly BlockRef[];
  /** Blocks that should be there, of which too few shards were found. */
  readonly lacking: number;
}

/** Shards found of one block. */
interface FoundBlock {
  readonly slots: Set<number>;
  readonly shardBytes: number;
}

/** Newest first. @throws FsError EIO when a node fails to list what it holds, or hangs */
export async function findCopies(
  nodes: readonly MapNode[],
  calls: Pick<NodeCalls, "list">,
  signal: AbortSignal,
): Promise<FoundCopy[]> {
  const copies = new Map<number, Map<number, FoundBlock>>();
  await Promise.all(
    nodes.map(async (node) => {
      try {
        for (let pg = 0; pg < COPY_PG_COUNT; pg += 1) {
          for await (const shard of calls.list(node, COPY_POOL, pg, signal)) note(copies, shard);
        }
      } catch (cause) {
        passViolation(cause);
        if (signal.aborted) throw cause;
        // The newest copy may be on it: whoever can do without it says so.
        throw new FsError(
          "EIO",
          `the node at ${node.url} answers, but doesn't list what it holds; ` +
            "start it anew, or leave its address out",
          { cause },
        );
      }
    }),
  );
  return [...copies]
    .sort(([one], [other]) => other - one)
    .map(([number, blocks]) => describe(number, blocks));
}

function note(copies: Map<number, Map<number, FoundBlock>>, { id, sizeBytes }: ShardInfo): void {
  const copy = copyOfSlice(id.slice);
  if (copy === undefined) return;
  const blocks = copies.get(copy.number) ?? new Map<number, FoundBlock>();
  copies.set(copy.number, blocks);
  const at = copy.part * MAX_BLOCKS_PER_SLICE + id.index;
  const block = blocks.get(at) ?? { slots: new Set<number>(), shardBytes: sizeBytes };
  block.slots.add(id.slot);
  blocks.set(at, block);
}

function describe(number: number, found: ReadonlyMap<number, FoundBlock>): FoundCopy {
  const last = Math.max(...found.keys());
  const blocks: BlockRef[] = [];
  let lacking = 0;
  for (let at = 0; at <= last; at += 1) {
    const block = found.get(at);
    if (block === undefined || block.slots.size < COPY_POLICY.k) lacking += 1;
    else if (lacking === 0) {
      const slice = copySlice(number, Math.floor(at / MAX_BLOCKS_PER_SLICE));
      const lengthBytes = block.shardBytes * COPY_POLICY.k;
      blocks.push({ pool: COPY_POOL, slice, index: at % MAX_BLOCKS_PER_SLICE, lengthBytes });
    }
  }
  return { number, parts: Math.floor(last / MAX_BLOCKS_PER_SLICE) + 1, blocks, lacking };
}

/** A found copy's bytes, with zeroes behind them where its last block was padded. */
export async function* readFoundCopy(
  blocks: Pick<BlockStore, "readBlock">,
  copy: FoundCopy,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  invariant(copy.lacking === 0, "a copy that lacks blocks can't be read", { number: copy.number });
  for (const ref of copy.blocks) {
    const block = Buffer.allocUnsafe(ref.lengthBytes);
    await blocks.readBlock(ref, 0, block, signal);
    yield block;
  }
}
