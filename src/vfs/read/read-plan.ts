// One read as it takes shape: pieces that are there, and pieces whose bytes are being fetched.
import type { CacheEntry } from "./fetch-cache.ts";

interface Awaited {
  entry: CacheEntry;
  from: number;
  to: number;
}

interface Direct {
  target: Uint8Array;
  done: Promise<void>;
}

type Slot = Uint8Array | Awaited | Direct;

export class ReadPlan {
  readonly #zeros: Uint8Array;
  readonly #slots: Slot[] = [];
  readonly #entries: CacheEntry[] = [];
  #complete = true;

  /** @param zeros what holes are served from; never written to */
  constructor(zeros: Uint8Array) {
    this.#zeros = zeros;
  }

  /** Nothing has to be waited for. */
  get complete(): boolean {
    return this.#complete;
  }

  /** Cache entries that the pieces are views of. */
  get entries(): readonly CacheEntry[] {
    return this.#entries;
  }

  hole(lengthBytes: number): void {
    for (let left = lengthBytes; left > 0; left -= this.#zeros.length) {
      this.#slots.push(left < this.#zeros.length ? this.#zeros.subarray(0, left) : this.#zeros);
    }
  }

  bytes(view: Uint8Array): void {
    this.#slots.push(view);
  }

  cached(entry: CacheEntry, from: number, to: number): void {
    this.#entries.push(entry);
    if (entry.ready) {
      this.#slots.push(entry.view.subarray(from, to));
    } else {
      this.#complete = false;
      this.#slots.push({ entry, from, to });
    }
  }

  direct(target: Uint8Array, done: Promise<void>): void {
    this.#complete = false;
    // A plan may be dropped before it waits.
    done.catch(() => undefined);
    this.#slots.push({ target, done });
  }

  /** The pieces, in order. @throws FsError of the fetch that failed */
  async wait(): Promise<readonly Uint8Array[]> {
    for (const entry of this.#entries) entry.pins += 1;
    try {
      await Promise.all(this.#fetches());
      return this.pieces();
    } finally {
      for (const entry of this.#entries) entry.pins -= 1;
    }
  }

  /** The pieces of a plan that is complete or was waited for. */
  pieces(): readonly Uint8Array[] {
    return this.#slots.map((slot) => {
      if (slot instanceof Uint8Array) return slot;
      return "target" in slot ? slot.target : slot.entry.view.subarray(slot.from, slot.to);
    });
  }

  #fetches(): Promise<void>[] {
    const fetches: Promise<void>[] = [];
    for (const slot of this.#slots) {
      if (slot instanceof Uint8Array) continue;
      fetches.push("target" in slot ? slot.done : slot.entry.done);
    }
    return fetches;
  }
}
