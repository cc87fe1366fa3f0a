// Any byte range of a block: which cells of which data shards cover it, and the copies where a
// reader wants less than whole cells. How one run of cells is had in spite of failures is in
// row-read.ts.
import { shardSizeBytes, type BlockRef } from "../domain/layout.ts";
import { invariant } from "../domain/invariant.ts";
import { CELL_BYTES } from "../domain/format.ts";
import { MAX_CELLS_IN_FLIGHT } from "./limits.ts";
import { GroupPlaces } from "./group-places.ts";
import { RowRead, type CellRun, type WantedShard } from "./row-read.ts";
import type { StoreContext } from "./store-context.ts";
import { WorkLimit } from "../platform/flow/work-limit.ts";

/** The part of one data shard that a reader wants, in bytes of the shard. */
interface ShardPart {
  readonly slot: number;
  readonly begin: number;
  readonly end: number;
}

/** Fetching the cells of several shards as one run is worth it up to this much more to fetch. */
const ONE_RUN_OVERHEAD = 1.25;

export class StripeReader {
  readonly #context: StoreContext;
  readonly #limit = new WorkLimit(MAX_CELLS_IN_FLIGHT);

  constructor(context: StoreContext) {
    this.#context = context;
  }

  /**
   * Reads [offsetBytes, offsetBytes + target.length) of the block.
   * @throws FsError as BlockStore.readBlock
   */
  async read(
    ref: BlockRef,
    offsetBytes: number,
    target: Uint8Array,
    signal?: AbortSignal,
  ): Promise<void> {
    const wantedBytes = target.length;
    invariant(
      offsetBytes >= 0 && offsetBytes + wantedBytes <= ref.lengthBytes,
      "a range isn't in its block",
      { offsetBytes, wantedBytes, ...ref },
    );
    if (target.length === 0) return;
    const places = new GroupPlaces(this.#context.links.follow(), ref);
    const shardBytes = shardSizeBytes(ref.lengthBytes, places.pool.k);
    const parts = partsOf(shardBytes, offsetBytes, target.length);
    const reads = groupParts(parts, shardBytes).map(async (group) => {
      const run = runOver(group, shardBytes);
      const weight = group.length * Math.ceil(run.lengthBytes / CELL_BYTES);
      await this.#limit.run(weight, signal, () =>
        this.#readRun(places, run, group, { target, offsetBytes, shardBytes }, signal),
      );
    });
    // All must have let go of the target before a failure is told.
    await Promise.allSettled(reads);
    await Promise.all(reads);
  }

  async #readRun(
    places: GroupPlaces,
    run: CellRun,
    parts: readonly ShardPart[],
    into: { target: Uint8Array; offsetBytes: number; shardBytes: number },
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { scratch } = this.#context;
    const borrowed: Uint8Array<ArrayBuffer>[] = [];
    const copies: (() => void)[] = [];
    const wanted = parts.map(({ slot, begin, end }): WantedShard => {
      const at = slot * into.shardBytes + begin - into.offsetBytes;
      const final = into.target.subarray(at, at + end - begin);
      if (begin === run.offsetBytes && end - begin === run.lengthBytes)
        return { slot, place: final };
      // Copy: of what is wanted of partly wanted cells, and of a block's last, padded shard.
      const place = scratch.take(run.lengthBytes);
      borrowed.push(place);
      const from = begin - run.offsetBytes;
      copies.push(() => final.set(place.subarray(from, from + end - begin)));
      return { slot, place };
    });
    try {
      await new RowRead(this.#context, places, run, wanted).read(signal);
      for (const copy of copies) copy();
    } finally {
      for (const buffer of borrowed) scratch.give(buffer);
    }
  }
}

function partsOf(shardBytes: number, offsetBytes: number, lengthBytes: number): ShardPart[] {
  const parts: ShardPart[] = [];
  const endBytes = offsetBytes + lengthBytes;
  for (let at = offsetBytes; at < endBytes;) {
    const slot = Math.floor(at / shardBytes);
    const next = Math.min(endBytes, (slot + 1) * shardBytes);
    parts.push({ slot, begin: at - slot * shardBytes, end: next - slot * shardBytes });
    at = next;
  }
  return parts;
}

/** Parts to be had by one run of cells each: all together when their cells are nearly the same. */
function groupParts(parts: readonly ShardPart[], shardBytes: number): (readonly ShardPart[])[] {
  if (parts.length === 1) return [parts];
  const separately = parts.reduce((sum, part) => sum + runOver([part], shardBytes).lengthBytes, 0);
  const together = parts.length * runOver(parts, shardBytes).lengthBytes;
  return together <= ONE_RUN_OVERHEAD * separately ? [parts] : parts.map((part) => [part]);
}

function runOver(parts: readonly ShardPart[], shardBytes: number): CellRun {
  const begin = Math.min(...parts.map((part) => part.begin));
  const end = Math.max(...parts.map((part) => part.end));
  const offsetBytes = Math.floor(begin / CELL_BYTES) * CELL_BYTES;
  const endBytes = Math.min(shardBytes, Math.ceil(end / CELL_BYTES) * CELL_BYTES);
  return { offsetBytes, lengthBytes: endBytes - offsetBytes };
}
