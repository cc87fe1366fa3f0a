// Which chunks' extents a mount keeps: the least recently fetched or changed go when they weigh too
// much.

export interface CachedExtents {
  readonly weightBytes: number;
  /** Called when the cache lets go of the entry. */
  drop(): void;
}

export class ExtentCache {
  readonly #maxBytes: number;
  readonly #weights = new Map<CachedExtents, number>();
  #totalBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The entry is new or has changed: weighs it, makes it the youngest, drops the oldest ones. */
  keep(entry: CachedExtents): void {
    this.forget(entry);
    const { weightBytes } = entry;
    this.#weights.set(entry, weightBytes);
    this.#totalBytes += weightBytes;
    for (const oldest of this.#weights.keys()) {
      if (this.#totalBytes <= this.#maxBytes || oldest === entry) return;
      this.forget(oldest);
      oldest.drop();
    }
  }

  forget(entry: CachedExtents): void {
    const weight = this.#weights.get(entry);
    if (weight === undefined) return;
    this.#weights.delete(entry);
    this.#totalBytes -= weight;
  }
}
