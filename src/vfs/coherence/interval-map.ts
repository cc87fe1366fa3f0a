// The committed extents of one chunk, their overlay resolved into sorted intervals that don't
// overlap.
import type { Extent } from "../../domain/layout.ts";

/** [start, end) of the chunk shows the extent's bytes at the same positions. */
export interface Interval {
  readonly start: number;
  readonly end: number;
  readonly extent: Extent;
}

/** Memory of an interval beside its inline bytes, roughly. */
const INTERVAL_BYTES = 200;

export class IntervalMap {
  readonly #items: Interval[] = [];
  #inlineBytes = 0;

  /** @param extents in overlay order */
  constructor(extents: readonly Extent[] = []) {
    for (const extent of extents) this.insert(extent);
  }

  /** What it occupies; inline bytes that were overlaid since count on. */
  get weightBytes(): number {
    return INTERVAL_BYTES * (this.#items.length + 1) + this.#inlineBytes;
  }

  at(index: number): Interval | undefined {
    return this.#items[index];
  }

  /** Index of the first interval that ends after `position`. */
  indexAfter(position: number): number {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const item = this.#items[middle];
      if (item !== undefined && item.end <= position) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Lays `extent` over what is there. */
  insert(extent: Extent): void {
    const start = extent.posInChunk;
    const end = start + extent.lengthBytes;
    this.#inlineBytes += extent.inline?.length ?? 0;
    const added = { start, end, extent };
    const last = this.#items.at(-1);
    if (last === undefined || last.end <= start) {
      this.#items.push(added);
      return;
    }
    const first = this.indexAfter(start);
    const replacement: Interval[] = [];
    const left = this.#items[first];
    if (left !== undefined && left.start < start) replacement.push({ ...left, end: start });
    replacement.push(added);
    let next = first;
    for (;;) {
      const item = this.#items[next];
      if (item === undefined || item.start >= end) break;
      if (item.end > end) replacement.push({ ...item, start: end });
      next += 1;
    }
    this.#items.splice(first, next - first, ...replacement);
  }
}
