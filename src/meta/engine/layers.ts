// What an engine's transactions are made of: layers of key-value pairs, a newer one over older
// ones.
import { MAX_KEY_BYTES } from "../../domain/format.ts";
import { invariant } from "../../domain/invariant.ts";
import type { Key, RangeOptions, ReadTransaction, Transaction } from "./engine.ts";
import { SortedMap } from "./sorted-map.ts";

export interface Entry {
  key: Key;
  value: Uint8Array;
}

/** A key as latin1 text, by which layers in memory are looked up. */
export function keyText(key: Key): string {
  return (
    Buffer.isBuffer(key) ? key : Buffer.from(key.buffer, key.byteOffset, key.byteLength)
  ).toString("latin1");
}

export function keyOfText(text: string): Key {
  return Buffer.from(text, "latin1");
}

/** New values by key; null says that the key is deleted whatever older layers have. */
export type Changes = SortedMap<Uint8Array | null>;

/** Changes with their keys as bytes. */
export function* withKeys(changes: Changes): Generator<[Key, Uint8Array | null]> {
  for (const [text, value] of changes.entries()) yield [keyOfText(text), value];
}

/**
 * Everything below a layer of changes. `text` is the key once more, so that it is made only once.
 */
export interface Layer {
  get(key: Key, text: string): Uint8Array | undefined;
  range(options: RangeOptions): Iterable<Entry>;
}

export class ChangedLayer implements Layer {
  readonly changes: Changes;
  readonly #below: Layer;

  constructor(changes: Changes, below: Layer) {
    this.changes = changes;
    this.#below = below;
  }

  get(key: Key, text: string): Uint8Array | undefined {
    const change = this.changes.get(text);
    if (change !== undefined) return change ?? undefined;
    return this.#below.get(key, text);
  }

  range(options: RangeOptions): Iterable<Entry> {
    if (this.changes.size === 0) return this.#below.range(options);
    return merge(this.changes, this.#below, options);
  }
}

function* merge(changes: Changes, below: Layer, options: RangeOptions): Generator<Entry> {
  const reverse = options.reverse === true;
  const upper = changes.range(keyText(options.start), keyText(options.end), reverse);
  let change = upper.next();
  // Deletions above hide entries below, so the limit can only be counted here.
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  if (left <= 0) return;
  const { start, end } = options;
  for (const entry of below.range({ start, end, reverse })) {
    const text = keyText(entry.key);
    while (change.done !== true && (reverse ? change.value[0] > text : change.value[0] < text)) {
      const [key, value] = change.value;
      if (value !== null) {
        yield { key: keyOfText(key), value };
        if (--left === 0) return;
      }
      change = upper.next();
    }
    if (change.done !== true && change.value[0] === text) {
      const value = change.value[1];
      change = upper.next();
      if (value === null) continue;
      yield { key: entry.key, value };
    } else yield entry;
    if (--left === 0) return;
  }
  for (; change.done !== true; change = upper.next()) {
    const [key, value] = change.value;
    if (value === null) continue;
    yield { key: keyOfText(key), value };
    if (--left === 0) return;
  }
}

/** Reads straight from a layer. */
export class LayerReader implements ReadTransaction {
  readonly #layer: Layer;

  constructor(layer: Layer) {
    this.#layer = layer;
  }

  get(key: Key): Uint8Array | undefined {
    return this.#layer.get(key, keyText(key));
  }

  range(options: RangeOptions): Iterable<Entry> {
    return this.#layer.range(options);
  }
}

/** One callback's transaction: its writes stay in `changes` until the engine takes them over. */
export class LayerTransaction implements Transaction {
  readonly changes: Changes = new SortedMap();
  readonly position: number;
  readonly #layer: ChangedLayer;

  constructor(below: Layer, position: number) {
    this.position = position;
    this.#layer = new ChangedLayer(this.changes, below);
  }

  get(key: Key): Uint8Array | undefined {
    return this.#layer.get(key, keyText(key));
  }

  range(options: RangeOptions): Iterable<Entry> {
    return this.#layer.range(options);
  }

  put(key: Key, value: Uint8Array): void {
    const keyBytes = key.length;
    invariant(keyBytes > 0 && keyBytes <= MAX_KEY_BYTES, "no engine takes such a key", {
      keyBytes,
    });
    this.changes.set(keyText(key), value);
  }

  delete(key: Key): void {
    this.changes.set(keyText(key), null);
  }
}
