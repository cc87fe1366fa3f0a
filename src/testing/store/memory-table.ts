// A table of bytes by bytes in memory, in the order of the keys.
import { invariant } from "../../domain/invariant.ts";
import type { StoreEntry, StoreRange, StoreTable } from "../../platform/store/ordered-store.ts";

export class MemoryTable implements StoreTable {
  readonly name: string;
  /** By key as latin1 text, whose order is that of the bytes. */
  readonly #entries = new Map<string, Buffer>();
  /** The keys in order; made anew when it is next asked for after a key came or went. */
  #sorted: string[] | undefined = [];

  constructor(name: string) {
    this.name = name;
  }

  put(key: string, value: Uint8Array): void {
    if (!this.#entries.has(key)) this.#sorted = undefined;
    this.#entries.set(key, Buffer.from(value));
  }

  remove(key: string): void {
    if (this.#entries.delete(key)) this.#sorted = undefined;
  }

  get(key: Uint8Array): Buffer | undefined {
    const value = this.#entries.get(keyText(key));
    return value === undefined ? undefined : Buffer.from(value);
  }

  peek(key: Uint8Array): Buffer | undefined {
    return this.#entries.get(keyText(key));
  }

  *range({ start, exclusiveStart, end, limit, reverse }: StoreRange): Generator<StoreEntry> {
    this.#sorted ??= [...this.#entries.keys()].sort((one, other) => (one < other ? -1 : 1));
    const sorted = this.#sorted;
    const from = keyText(start);
    let first = placeOf(sorted, from);
    if (exclusiveStart === true && sorted[first] === from) first++;
    const last = end === undefined ? sorted.length : placeOf(sorted, keyText(end));
    const keys = sorted.slice(first, last);
    if (reverse === true) keys.reverse();
    for (const key of keys.slice(0, limit)) {
      const value = this.#entries.get(key);
      if (value !== undefined) yield { key: Buffer.from(key, "latin1"), value };
    }
  }

  *keys(range: StoreRange): Generator<Buffer> {
    for (const { key } of this.range(range)) yield key;
  }
}

/** Where the first key stands that isn't below `key`. */
function placeOf(sorted: readonly string[], key: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? "") < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function ownTable(table: StoreTable): MemoryTable {
  invariant(table instanceof MemoryTable, "a store takes its own tables");
  return table;
}

export function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
