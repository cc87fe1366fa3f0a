// A map in byte order of its keys, in memory. Keys are latin1 strings, which compare as their
// bytes. New keys are put in order a batch at a time, or when a range is asked for.

/** A run longer than this is cut in two, so that an insertion moves few keys. */
const MAX_RUN_KEYS = 512;
/**
 * So many new keys are put in order together: amortised, without a pause when a range is asked for.
 */
const MAX_PENDING_KEYS = 1024;

export class SortedMap<V> {
  readonly #values = new Map<string, V>();
  /** Sorted runs of sorted keys, some of them deleted by now ("ghosts"). */
  #runs: string[][] = [];
  /** Keys in #runs, ghosts included. */
  #ordered = 0;
  /** Keys set since that may not be in #runs yet. */
  #pending: string[] = [];

  get size(): number {
    return this.#values.size;
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: V): void {
    const before = this.#values.size;
    this.#values.set(key, value);
    if (this.#values.size === before) return;
    if (this.#pending.push(key) >= MAX_PENDING_KEYS) this.#order();
  }

  delete(key: string): boolean {
    return this.#values.delete(key);
  }

  /** Every pair, in no order. */
  entries(): IterableIterator<[string, V]> {
    return this.#values.entries();
  }

  /** Pairs with start <= key < end. The map must not change while this iterates. */
  *range(start: string, end: string, reverse: boolean): Generator<[string, V]> {
    this.#order();
    const step = reverse ? -1 : 1;
    let run = reverse ? this.#runFor(end) : this.#runFor(start);
    for (; run >= 0 && run < this.#runs.length; run += step) {
      const keys = this.#runs[run] ?? [];
      let at = reverse ? lowerBound(keys, end) - 1 : lowerBound(keys, start);
      for (; at >= 0 && at < keys.length; at += step) {
        const key = keys[at];
        if (key === undefined || (reverse ? key < start : key >= end)) return;
        const value = this.#values.get(key);
        if (value !== undefined) yield [key, value];
      }
    }
  }

  /** The last run whose first key is at most `key`, else 0. */
  #runFor(key: string): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const first = this.#runs[middle]?.[0];
      if (first !== undefined && first <= key) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }

  #order(): void {
    const ghosts = this.#ordered + this.#pending.length - this.#values.size;
    if (ghosts > MAX_PENDING_KEYS + this.#values.size) {
      this.#rebuild();
      return;
    }
    for (const key of this.#pending) this.#insert(key);
    this.#pending = [];
  }

  #rebuild(): void {
    const sorted = [...this.#values.keys()].sort(byteOrder);
    this.#runs = [];
    for (let from = 0; from < sorted.length; from += MAX_RUN_KEYS / 2) {
      this.#runs.push(sorted.slice(from, from + MAX_RUN_KEYS / 2));
    }
    this.#ordered = sorted.length;
    this.#pending = [];
  }

  #insert(key: string): void {
    const index = this.#runFor(key);
    const run = this.#runs[index];
    if (run === undefined) {
      this.#runs.push([key]);
      this.#ordered += 1;
      return;
    }
    const at = lowerBound(run, key);
    if (run[at] === key) return;
    run.splice(at, 0, key);
    this.#ordered += 1;
    if (run.length > MAX_RUN_KEYS) this.#runs.splice(index + 1, 0, run.splice(run.length >>> 1));
  }
}

function byteOrder(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Index of the first key that is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? "") < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
