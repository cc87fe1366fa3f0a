// Reads of stored blocks through memory: whole blocks where reading goes on in order, runs of cells
// where it doesn't. Both are kept, least recently used first out.
import type { BlockStore } from "../../stripes/block-store.ts";
import { FsError } from "../../domain/errno.ts";
import type { BlockRef } from "../../domain/layout.ts";
import type { BufferPool } from "../buffer-pool.ts";
import { FetchCache, type CacheEntry } from "./fetch-cache.ts";
import type { Geometry } from "../geometry.ts";
import type { ReadPlan } from "./read-plan.ts";

/** Share of the cache that runs of cells get. */
const CELL_SHARE = 1 / 8;
/** A block of so few cells is fetched whole: the request costs more than the bytes. */
const SMALL_BLOCK_CELLS = 4;
/** A block of which this share is cached in runs is fetched whole at the next: reads stay in it. */
const HOT_SHARE = 1 / 5;
/** Bounds the keys; a slice has at most 16 blocks. */
const MAX_BLOCK_INDEX = 64;

export class BlockReader {
  readonly #store: BlockStore;
  readonly #geometry: Geometry;
  readonly #blocks: FetchCache;
  readonly #cells: FetchCache;
  readonly #cellsPerBlock: number;
  /** Cached runs per block, to notice random reads that stay in few blocks. */
  readonly #runCounts = new Map<number, number>();

  constructor(store: BlockStore, pool: BufferPool, geometry: Geometry, cacheBytes: number) {
    this.#store = store;
    this.#geometry = geometry;
    this.#cells = new FetchCache(pool, cacheBytes * CELL_SHARE, ({ keys }) => {
      this.#countRuns(Math.floor((keys[0] ?? 0) / this.#cellsPerBlock), -1);
    });
    this.#blocks = new FetchCache(pool, cacheBytes * (1 - CELL_SHARE));
    this.#cellsPerBlock = Math.ceil(geometry.blockBytes / geometry.cellBytes);
  }

  /** Adds [offset, offset + length) of the block to `plan`. */
  read(ref: BlockRef, offset: number, length: number, whole: boolean, plan: ReadPlan): void {
    const key = blockKey(ref);
    const cached = this.#blocks.get(key);
    if (cached !== undefined) {
      plan.cached(cached, offset, offset + length);
      return;
    }
    if (whole || this.#smallOrHot(ref, key) || length * 2 >= ref.lengthBytes) {
      const fetched = this.#fetchBlock(ref, key);
      if (fetched !== undefined) {
        plan.cached(fetched, offset, offset + length);
        return;
      }
    }
    this.#readCells(ref, key, { from: offset, to: offset + length }, plan);
  }

  /** Begins to fetch the block unless it is there; false when there is no room to do so. */
  prefetch(ref: BlockRef): boolean {
    const key = blockKey(ref);
    if (this.#blocks.has(key)) return true;
    const { fetchingBytes, maxBytes } = this.#blocks;
    if (fetchingBytes + ref.lengthBytes > maxBytes / 2) return false;
    return this.#fetchBlock(ref, key) !== undefined;
  }

  #smallOrHot(ref: BlockRef, key: number): boolean {
    const { cellBytes } = this.#geometry;
    if (ref.lengthBytes <= SMALL_BLOCK_CELLS * cellBytes) return true;
    return (this.#runCounts.get(key) ?? 0) >= (ref.lengthBytes / cellBytes) * HOT_SHARE;
  }

  #fetchBlock(ref: BlockRef, key: number): CacheEntry | undefined {
    return this.#blocks.fetch([key], ref.lengthBytes, (target) =>
      this.#store.readBlock(ref, 0, target),
    );
  }

  #readCells(
    ref: BlockRef,
    key: number,
    range: { from: number; to: number },
    plan: ReadPlan,
  ): void {
    const { cellBytes } = this.#geometry;
    const firstKey = key * this.#cellsPerBlock;
    let at = range.from;
    while (at < range.to) {
      const cell = Math.floor(at / cellBytes);
      let entry = this.#cells.get(firstKey + cell);
      if (entry === undefined) {
        let end = cell + 1;
        while (end * cellBytes < range.to && !this.#cells.has(firstKey + end)) end += 1;
        entry = this.#fetchRun(ref, key, cell, end);
        if (entry === undefined) {
          const target = Buffer.allocUnsafeSlow(Math.min(range.to, end * cellBytes) - at);
          plan.direct(target, this.#store.readBlock(ref, at, target));
          at += target.length;
          continue;
        }
      }
      const base = ((entry.keys[0] ?? firstKey) - firstKey) * cellBytes;
      const to = Math.min(range.to, base + entry.view.length);
      plan.cached(entry, at - base, to - base);
      at = to;
    }
  }

  #fetchRun(ref: BlockRef, key: number, cell: number, end: number): CacheEntry | undefined {
    const { cellBytes } = this.#geometry;
    const keys: number[] = [];
    for (let index = cell; index < end; index += 1) keys.push(key * this.#cellsPerBlock + index);
    const offset = cell * cellBytes;
    const length = Math.min(end * cellBytes, ref.lengthBytes) - offset;
    const run = this.#cells.fetch(keys, length, (target) =>
      this.#store.readBlock(ref, offset, target),
    );
    if (run !== undefined) this.#countRuns(key, 1);
    return run;
  }

  #countRuns(blockKey: number, change: number): void {
    const count = (this.#runCounts.get(blockKey) ?? 0) + change;
    if (count > 0) this.#runCounts.set(blockKey, count);
    else this.#runCounts.delete(blockKey);
  }
}

function blockKey(ref: BlockRef): number {
  if (ref.index >= MAX_BLOCK_INDEX) {
    throw new FsError("EIO", `slice ${ref.slice} has a block ${ref.index}: corrupt metadata`);
  }
  return ref.slice * MAX_BLOCK_INDEX + ref.index;
}
