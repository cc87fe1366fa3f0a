// The pending slices of one inode in write order: where a write goes, what a read sees of them, and
// which of them may be committed next.
import { FsError } from "../../domain/errno.ts";
import type { PoolId } from "../../domain/ids.ts";
import { CHUNK_BYTES } from "../../domain/format.ts";
import { MAX_COMMIT_EXTENTS } from "../../protocol/meta/limits.ts";
import { MAX_COMMIT_INLINE_BYTES } from "./limits.ts";
import { PendingSlice, type SliceResources } from "./pending-slice.ts";
import type { SegmentSink } from "../segments.ts";

export class DirtySlices {
  readonly #resources: SliceResources;
  #list: PendingSlice[] = [];
  #lastSeq = 0;

  constructor(resources: SliceResources) {
    this.#resources = resources;
  }

  get count(): number {
    return this.#list.length;
  }

  /** Sequence of the newest slice ever made. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  get slices(): readonly PendingSlice[] {
    return this.#list;
  }

  /**
   * The slice that takes a write at `position` of `chunk`, an old one where that keeps the order
   * of overlapping writes, else a new one. How much it takes its `room` tells.
   */
  place(
    chunk: number,
    position: number,
    length: number,
    context: { poolId: PoolId; nowMs: number },
  ): PendingSlice {
    for (let index = this.#list.length - 1; index >= 0; index -= 1) {
      const slice = this.#list[index];
      if (slice?.chunk !== chunk) continue;
      if (slice.room(position, length) > 0) return slice;
      if (slice.overlaps(position, position + length)) break;
    }
    this.#lastSeq += 1;
    const created = new PendingSlice(this.#resources, {
      poolId: context.poolId,
      seq: this.#lastSeq,
      chunk,
      start: position,
      bornMs: context.nowMs,
    });
    this.#list.push(created);
    return created;
  }

  /** Oldest first, those that still take writes. */
  open(): PendingSlice[] {
    return this.#list.filter((slice) => !slice.sealed);
  }

  /** Slices up to `seq` whose data is still on its way to the nodes. */
  unfinished(seq: number): boolean {
    return this.#list.some((slice) => slice.seq <= seq && !slice.ready && !slice.failure);
  }

  /** Slices up to `seq` that are neither committed nor failed. */
  unsettled(seq: number): boolean {
    return this.#list.some((slice) => slice.seq <= seq && slice.failure === undefined);
  }

  /**
   * Ready slices up to `seq`, in write order, none of which overlaps an older one that isn't among
   * them: overlays must reach the metadata in the order of the writes.
   */
  nextBatch(seq: number): PendingSlice[] {
    const batch: PendingSlice[] = [];
    const passed: PendingSlice[] = [];
    let inlineBytes = 0;
    for (const slice of this.#list) {
      if (slice.seq > seq || batch.length === MAX_COMMIT_EXTENTS) break;
      if (!slice.ready) {
        passed.push(slice);
        continue;
      }
      const blocker = passed.find(
        (older) => older.chunk === slice.chunk && older.overlaps(slice.start, slice.end),
      );
      if (blocker !== undefined) {
        if (blocker.failure !== undefined) slice.failure = orphaned(blocker.failure);
        passed.push(slice);
        continue;
      }
      if (slice.inlineable) inlineBytes += slice.lengthBytes;
      if (inlineBytes > MAX_COMMIT_INLINE_BYTES) break;
      batch.push(slice);
    }
    return batch;
  }

  /** Forgets committed slices; their memory is given back. */
  remove(committed: readonly PendingSlice[]): void {
    const gone = new Set(committed);
    this.#list = this.#list.filter((slice) => !gone.has(slice));
    for (const slice of committed) slice.drop();
  }

  /** Gives up what has failed. Returns it. */
  dropFailed(): PendingSlice[] {
    const failed = this.#list.filter((slice) => slice.failure !== undefined);
    this.remove(failed);
    return failed;
  }

  /** What all pending slices hold; bytes that were written twice may count twice. */
  get totalBytes(): number {
    let sum = 0;
    for (const { lengthBytes } of this.#list) sum += lengthBytes;
    return sum;
  }

  /** Pending bytes as ranges of the file, in no order. */
  ranges(): { from: number; to: number }[] {
    return this.#list.map(({ chunk, start, end }) => {
      return { from: chunk * CHUNK_BYTES + start, to: chunk * CHUNK_BYTES + end };
    });
  }

  /**
   * Tells the bytes [from, to) of the chunk in order: pending ones to `sink`, the rest by calling
   * `beneath`.
   */
  overlay(
    chunk: number,
    from: number,
    to: number,
    sink: SegmentSink,
    beneath: (from: number, to: number) => void,
  ): void {
    this.#overlayFrom(this.#list.length - 1, { chunk, from, to }, sink, beneath);
  }

  #overlayFrom(
    newest: number,
    range: { chunk: number; from: number; to: number },
    sink: SegmentSink,
    beneath: (from: number, to: number) => void,
  ): void {
    const { chunk, from, to } = range;
    for (let index = newest; index >= 0; index -= 1) {
      const slice = this.#list[index];
      if (slice?.chunk !== chunk || !slice.overlaps(from, to)) continue;
      const start = Math.max(from, slice.start);
      const end = Math.min(to, slice.end);
      if (from < start) {
        this.#overlayFrom(index - 1, { chunk, from, to: start }, sink, beneath);
      }
      slice.emit(start, end, sink);
      if (end < to) this.#overlayFrom(index - 1, { chunk, from: end, to }, sink, beneath);
      return;
    }
    beneath(from, to);
  }
}

/** A newer write over one that was lost can't be committed without reordering them. */
function orphaned(cause: FsError): FsError {
  return new FsError(cause.code, "an earlier write to the same bytes failed", { cause });
}
