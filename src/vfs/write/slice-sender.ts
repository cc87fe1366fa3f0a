// Brings the bytes of one inode's pending slices to the nodes: ids, puts, and putting anew what was
// put under the ids of a session that the server has lost.
import type { FsError } from "../../domain/errno.ts";
import type { Ino } from "../../domain/ids.ts";
import type { BlockRef } from "../../domain/layout.ts";
import type { Log } from "../../observability/log.ts";
import type { BlockStore } from "../../stripes/block-store.ts";
import type { PendingSlice, SliceResources } from "./pending-slice.ts";
import type { PutPipeline } from "./put-pipeline.ts";
import type { SliceAllocator } from "./slice-allocator.ts";

/** A slice is saved from so many lost sessions. */
const MAX_RENEWALS = 3;

export interface SenderServices extends SliceResources {
  readonly blocks: Pick<BlockStore, "readBlock">;
  readonly pipeline: PutPipeline;
  readonly sliceIds: SliceAllocator;
  readonly log: Log;
}

export interface SenderEvents {
  /** A slice may have become ready, or has failed. */
  progress(): void;
  /** Notes a failure to be told. */
  fail(error: unknown): FsError;
}

export class SliceSender {
  readonly #services: SenderServices;
  readonly #ino: Ino;
  readonly #events: SenderEvents;

  constructor(services: SenderServices, ino: Ino, events: SenderEvents) {
    this.#services = services;
    this.#ino = ino;
    this.#events = events;
  }

  /** Puts a full block, or the last one of a sealed slice. */
  send(slice: PendingSlice, index: number): void {
    const bytes = slice.beginPut(index);
    void this.#put(slice, index, bytes);
  }

  /** Seals the slice and sends what is left of it. Ready at once where it goes into the commit. */
  finish(slice: PendingSlice): void {
    const rest = slice.seal();
    if (rest !== undefined) {
      this.send(slice, rest);
    } else if (slice.id === undefined) {
      const waiting = this.#identify(slice);
      if (waiting !== undefined) void this.#afterId(slice, waiting);
    }
  }

  /**
   * The server refuses the slices' ids, because it handed them to a session that it has lost: puts
   * the bytes anew under new ids. False when that was tried often enough.
   */
  renew(slices: readonly PendingSlice[]): boolean {
    if (slices.some((slice) => slice.renewals >= MAX_RENEWALS)) return false;
    this.#services.log.warn({ ino: this.#ino, count: slices.length }, "putting slices anew");
    this.#services.sliceIds.reset();
    for (const slice of slices) {
      slice.beginRenewal();
      void this.#renew(slice);
    }
    return true;
  }

  async #put(slice: PendingSlice, index: number, bytes: Uint8Array): Promise<void> {
    try {
      if (slice.id === undefined) await this.#identify(slice);
      if (slice.failure !== undefined) throw slice.failure;
      const ref = slice.refOf(index);
      const epoch = await this.#services.pipeline.put(ref, bytes);
      slice.finishPut(index, ref, epoch);
    } catch (error) {
      // One failure of a slice is enough to tell; its other blocks may fail after it was dropped.
      slice.failPut(slice.failure ?? this.#events.fail(error));
    }
    this.#events.progress();
  }

  /** Mostly done when it returns; a promise only where the server has to be asked for ids. */
  #identify(slice: PendingSlice): Promise<void> | undefined {
    if (slice.identifying !== undefined) return slice.identifying;
    const taken = this.#services.sliceIds.take();
    if (typeof taken === "number") {
      slice.id = taken;
      return undefined;
    }
    slice.identifying = taken.then((id) => {
      slice.id = id;
    });
    return slice.identifying;
  }

  async #afterId(slice: PendingSlice, waiting: Promise<void>): Promise<void> {
    try {
      await waiting;
    } catch (error) {
      slice.failure = this.#events.fail(error);
    }
    this.#events.progress();
  }

  async #renew(slice: PendingSlice): Promise<void> {
    try {
      await this.#identify(slice);
      for (const [index, source] of slice.putBlocks().entries()) {
        await this.#putAnew(slice, index, source);
      }
      slice.finishRenewal();
    } catch (error) {
      slice.failPut(this.#events.fail(error));
    }
    this.#events.progress();
  }

  async #putAnew(slice: PendingSlice, index: number, source: BlockRef): Promise<void> {
    const { pool, budget, blocks, pipeline } = this.#services;
    const buffer = pool.acquire(source.lengthBytes);
    // Not reserved: a full budget may be waiting for this very slice.
    budget.take(buffer.length);
    try {
      const bytes = buffer.subarray(0, source.lengthBytes);
      await blocks.readBlock(source, 0, bytes);
      const ref = slice.refOf(index);
      const epoch = await pipeline.put(ref, bytes);
      slice.movedBlock(index, ref, epoch);
    } finally {
      budget.give(buffer.length);
    }
    pool.recycle(buffer);
  }
}
