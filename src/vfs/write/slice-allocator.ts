// Slice ids for the write path, taken from ranges fetched ahead of need so that writing asks no
// one.
import type { SliceId } from "../../domain/ids.ts";
import { SLICE_RANGE_SIZE } from "../../protocol/meta/limits.ts";
import type { SliceRange } from "../../protocol/meta/meta-service.ts";

const REFILL_BELOW = SLICE_RANGE_SIZE / 2;

interface Range {
  next: number;
  end: number;
}

export class SliceAllocator {
  readonly #fetch: () => Promise<SliceRange>;
  #ranges: Range[] = [];
  #left = 0;
  #refill: Promise<void> | undefined;
  #generation = 0;

  constructor(fetch: () => Promise<SliceRange>) {
    this.#fetch = fetch;
  }

  /** An id at once where one is left. @throws FsError of allocateSlices */
  take(): SliceId | Promise<SliceId> {
    const id = this.#next();
    this.prepare();
    return id ?? this.#takeLater();
  }

  /** Fetches a range when few ids are left; a failure shows at the next take that has none. */
  prepare(): void {
    if (this.#left < REFILL_BELOW) this.#fetchRange().catch(() => undefined);
  }

  /** The session that the ranges belonged to is gone. */
  reset(): void {
    this.#generation += 1;
    this.#ranges = [];
    this.#left = 0;
    this.#refill = undefined;
  }

  async #takeLater(): Promise<SliceId> {
    for (;;) {
      await this.#fetchRange();
      const id = this.#next();
      if (id !== undefined) return id;
    }
  }

  #next(): SliceId | undefined {
    const range = this.#ranges[0];
    if (range === undefined) return undefined;
    const id = range.next as SliceId; // the server's range holds nothing but slice ids
    range.next += 1;
    this.#left -= 1;
    if (range.next === range.end) this.#ranges.shift();
    return id;
  }

  #fetchRange(): Promise<void> {
    this.#refill ??= this.#addRange();
    return this.#refill;
  }

  async #addRange(): Promise<void> {
    const generation = this.#generation;
    try {
      const { first, count } = await this.#fetch();
      if (generation !== this.#generation || count === 0) return;
      this.#ranges.push({ next: first, end: first + count });
      this.#left += count;
    } finally {
      if (generation === this.#generation) this.#refill = undefined;
    }
  }
}
