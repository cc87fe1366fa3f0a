// Byte ranges of immutable blocks in pooled buffers, least recently used first out, within a byte
// budget. A buffer is reused only when no reader can still hold a view of it.
import { bufferCapacity, type BufferPool } from "../buffer-pool.ts";

/** A range that is cached or being fetched. */
export interface CacheEntry {
  readonly keys: readonly number[];
  /** The bytes; arbitrary until `ready`, empty after eviction. */
  view: Uint8Array;
  buffer: Uint8Array | undefined;
  ready: boolean;
  /** Settles with the fetch. */
  done: Promise<void>;
  /** Reads under way that will hand out views: not evicted. */
  pins: number;
  /** Handles whose last read handed out views: evicted, but the buffer isn't reused. */
  lenders: number;
}

export class FetchCache {
  readonly #pool: BufferPool;
  readonly #maxBytes: number;
  readonly #onRemove: (entry: CacheEntry) => void;
  readonly #byKey = new Map<number, CacheEntry>();
  /** From the least to the most recently used. */
  readonly #entries = new Set<CacheEntry>();
  #newest: CacheEntry | undefined;
  #usedBytes = 0;
  #fetchingBytes = 0;

  /** @param onRemove told of each entry that is evicted or whose fetch failed */
  constructor(
    pool: BufferPool,
    maxBytes: number,
    onRemove: (entry: CacheEntry) => void = () => undefined,
  ) {
    this.#pool = pool;
    this.#maxBytes = maxBytes;
    this.#onRemove = onRemove;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** Bytes of entries whose fetch is under way. */
  get fetchingBytes(): number {
    return this.#fetchingBytes;
  }

  has(key: number): boolean {
    return this.#byKey.has(key);
  }

  get(key: number): CacheEntry | undefined {
    const entry = this.#byKey.get(key);
    if (entry !== undefined && entry !== this.#newest) {
      this.#entries.delete(entry);
      this.#entries.add(entry);
      this.#newest = entry;
    }
    return entry;
  }

  /**
   * Makes an entry of `sizeBytes` found under `keys` and lets `fill` fill it. Undefined when there
   * is no room because everything is being fetched or read.
   */
  fetch(
    keys: readonly number[],
    sizeBytes: number,
    fill: (target: Uint8Array) => Promise<void>,
  ): CacheEntry | undefined {
    if (!this.#makeRoom(sizeBytes)) return undefined;
    const buffer = this.#pool.acquire(sizeBytes);
    const view = buffer.length === sizeBytes ? buffer : buffer.subarray(0, sizeBytes);
    const entry: CacheEntry = {
      keys,
      view,
      buffer,
      ready: false,
      done: Promise.resolve(),
      pins: 0,
      lenders: 0,
    };
    for (const key of keys) this.#byKey.set(key, entry);
    this.#entries.add(entry);
    this.#newest = entry;
    this.#usedBytes += buffer.length;
    this.#fetchingBytes += buffer.length;
    entry.done = this.#fill(entry, buffer, fill);
    // Waiters see the failure through their own await; a read-ahead has none.
    entry.done.catch(() => undefined);
    return entry;
  }

  async #fill(
    entry: CacheEntry,
    buffer: Uint8Array,
    fill: (target: Uint8Array) => Promise<void>,
  ): Promise<void> {
    try {
      await fill(entry.view);
      entry.ready = true;
    } catch (error) {
      // A late answer may still be written into the buffer: it is not reused.
      entry.lenders += 1;
      this.#remove(entry, buffer);
      throw error;
    } finally {
      this.#fetchingBytes -= buffer.length;
    }
  }

  #makeRoom(sizeBytes: number): boolean {
    const room = this.#maxBytes - bufferCapacity(sizeBytes);
    if (this.#usedBytes <= room) return true;
    for (const entry of this.#entries) {
      if (!entry.ready || entry.pins > 0 || entry.buffer === undefined) continue;
      this.#remove(entry, entry.buffer);
      if (this.#usedBytes <= room) return true;
    }
    return false;
  }

  #remove(entry: CacheEntry, buffer: Uint8Array): void {
    this.#entries.delete(entry);
    for (const key of entry.keys) {
      if (this.#byKey.get(key) === entry) this.#byKey.delete(key);
    }
    if (this.#newest === entry) this.#newest = undefined;
    this.#usedBytes -= buffer.length;
    if (entry.lenders === 0) this.#pool.recycle(buffer);
    entry.buffer = undefined;
    entry.view = NOTHING;
    this.#onRemove(entry);
  }
}

const NOTHING = new Uint8Array(0);
