// The blocks that the metadata says there are, by placement group: written to a scratch store, so
// that any number of them is compared with what nodes list, a group at a time.
import type { ClusterMap, Pool } from "../../domain/cluster-map.ts";
import {
  BLOCK_BYTES,
  COPY_POOL,
  COPY_SLICES_FROM,
  MAX_BLOCKS_PER_SLICE,
} from "../../domain/format.ts";
import type { PoolId, SliceId } from "../../domain/ids.ts";
import { blockCount, blockLengthBytes, type BlockRef } from "../../domain/layout.ts";
import { copySlice, storedCopies } from "../../meta/copies/copy-records.ts";
import type { Engine, ReadTransaction } from "../../meta/engine/engine.ts";
import { firstNumber, keyRanges, keys } from "../../meta/schema/keys.ts";
import { decodeSlice } from "../../meta/schema/slice.ts";
import { placementGroupOf } from "../../placement/placement.ts";
import type { OrderedStore, StoreTable } from "../../platform/store/ordered-store.ts";

// Key: pool u16, pg u32, slice u64, index u16, big-endian. Value: length u32.
const KEY_BYTES = 16;
const GROUP_BYTES = 6;
const TWO_32 = 2 ** 32;
/** Read, and written, in one turn; each has up to 16 blocks. */
const PAGE_SLICES = 1024;

export class ExpectedBlocks {
  readonly #table: StoreTable;
  readonly count: number;

  private constructor(table: StoreTable, count: number) {
    this.#table = table;
    this.count = count;
  }

  /** @param store empty; it stays the caller's */
  static async collect(
    engine: Pick<Engine, "read">,
    map: ClusterMap,
    store: OrderedStore,
  ): Promise<ExpectedBlocks> {
    const table = store.table("blocks");
    const pools = new Map(map.pools.map((pool) => [pool.id, pool]));
    let count = 0;
    const keep = async (refs: readonly BlockRef[]): Promise<void> => {
      await store.write((batch) => {
        for (const ref of refs) {
          const pool = pools.get(ref.pool);
          if (pool === undefined) continue;
          batch.put(table, blockKey(pool, ref), lengthValue(ref));
          count += 1;
        }
      });
    };
    let { start } = keyRanges.allSlices();
    for (;;) {
      const page = await engine.read((tx) => readPage(tx, start));
      if (page === undefined) break;
      await keep(page.refs);
      start = page.next;
    }
    await keep(await engine.read((tx) => [...blocksOfCopies(tx)]));
    return new ExpectedBlocks(table, count);
  }

  /** In the order of (slice, index). */
  *of(pool: PoolId, pg: number): Generator<BlockRef> {
    const start = Buffer.alloc(GROUP_BYTES);
    start.writeUInt16BE(pool, 0);
    start.writeUInt32BE(pg, 2);
    const end = Buffer.concat([start, Buffer.alloc(KEY_BYTES, 0xff)]);
    for (const { key, value } of this.#table.range({ start, end })) {
      const slice = (key.readUInt32BE(6) * TWO_32 + key.readUInt32BE(10)) as SliceId;
      yield { pool, slice, index: key.readUInt16BE(14), lengthBytes: value.readUInt32BE(0) };
    }
  }
}

/** Blocks of the next slices of files; undefined when there are none. */
function readPage(
  tx: ReadTransaction,
  start: Uint8Array,
): { refs: BlockRef[]; next: Uint8Array } | undefined {
  const refs: BlockRef[] = [];
  let last: Uint8Array | undefined;
  const end = keys.slice(COPY_SLICES_FROM as SliceId);
  for (const { key, value } of tx.range({ start, end, limit: PAGE_SLICES })) {
    last = key;
    const slice = firstNumber(key) as SliceId;
    const { pool, storedBytes, inline, packed } = decodeSlice(value);
    if (inline !== undefined || packed !== undefined) continue;
    for (let index = 0; index < blockCount(storedBytes); index += 1) {
      refs.push({ pool, slice, index, lengthBytes: blockLengthBytes(storedBytes, index) });
    }
  }
  // The smallest key behind another is that key and a zero.
  return last === undefined ? undefined : { refs, next: Buffer.concat([last, Buffer.of(0)]) };
}

function* blocksOfCopies(tx: ReadTransaction): Generator<BlockRef> {
  for (const { number, sizeBytes = 0 } of storedCopies(tx)) {
    for (let block = 0; block < blockCount(sizeBytes); block += 1) {
      const slice = copySlice(number, Math.floor(block / MAX_BLOCKS_PER_SLICE));
      const lengthBytes = Math.min(BLOCK_BYTES, sizeBytes - block * BLOCK_BYTES);
      yield { pool: COPY_POOL, slice, index: block % MAX_BLOCKS_PER_SLICE, lengthBytes };
    }
  }
}

function blockKey(pool: Pool, { slice, index }: BlockRef): Buffer {
  const key = Buffer.allocUnsafe(KEY_BYTES);
  key.writeUInt16BE(pool.id, 0);
  key.writeUInt32BE(placementGroupOf(pool, slice, index), 2);
  key.writeUInt32BE(Math.floor(slice / TWO_32), 6);
  key.writeUInt32BE(slice % TWO_32, 10);
  key.writeUInt16BE(index, 14);
  return key;
}

function lengthValue({ lengthBytes }: BlockRef): Buffer {
  const value = Buffer.allocUnsafe(4);
  value.writeUInt32BE(lengthBytes, 0);
  return value;
}
