// Engine in memory, for tests and simulation: nothing outlives the process.
import { FsError } from "../../domain/errno.ts";
import type { Incarnation } from "../../protocol/rpc/acknowledged.ts";
import type {
  CommittedChanges,
  Engine,
  Key,
  RangeOptions,
  ReadTransaction,
  Transaction,
} from "./engine.ts";
import { Followers } from "./followers.ts";
import { keyOfText, keyText, LayerReader, LayerTransaction } from "./layers.ts";
import type { Entry, Layer } from "./layers.ts";
import { SortedMap } from "./sorted-map.ts";

class MemoryLayer implements Layer {
  readonly values = new SortedMap<Uint8Array>();

  get(_key: Key, text: string): Uint8Array | undefined {
    return this.values.get(text);
  }

  *range({ start, end, limit, reverse }: RangeOptions): Generator<Entry> {
    let left = limit ?? Number.POSITIVE_INFINITY;
    if (left <= 0) return;
    for (const [key, value] of this.values.range(keyText(start), keyText(end), reverse === true)) {
      yield { key: keyOfText(key), value };
      if (--left === 0) return;
    }
  }
}

export class MemoryEngine implements Engine {
  /** What it holds ends with it. */
  readonly incarnations: readonly Incarnation[] = [{ id: "memory", beganAt: 0 }];
  readonly #layer = new MemoryLayer();
  readonly #followers = new Followers();
  #position = 0;
  #closed = false;

  get position(): number {
    return this.#position;
  }

  /** There is nothing to wait for: no commit outlives the process. */
  get durablePosition(): number {
    return this.#position;
  }

  read<T>(callback: (tx: ReadTransaction) => T): T {
    this.#assertOpen();
    return callback(new LayerReader(this.#layer));
  }

  /** Runs the callback in a later turn, as an engine does that groups commits. */
  async transact<T>(callback: (tx: Transaction) => T): Promise<T> {
    await Promise.resolve();
    this.#assertOpen();
    const tx = new LayerTransaction(this.#layer, this.#position + 1);
    const result = callback(tx);
    if (tx.changes.size === 0) return result;
    this.#position += 1;
    for (const [key, value] of tx.changes.entries()) {
      if (value === null) this.#layer.values.delete(key);
      else this.#layer.values.set(key, value);
    }
    this.#followers.keep(tx.changes);
    this.#followers.tell();
    return result;
  }

  hasRoom(): boolean {
    return true;
  }

  endWaits(): void {
    // It never waits.
  }

  async flush(): Promise<void> {
    await Promise.resolve();
    this.#assertOpen();
  }

  follow(listener: (changes: CommittedChanges) => void): () => void {
    return this.#followers.add(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #assertOpen(): void {
    if (this.#closed) throw new FsError("EIO", "the metadata engine is closed");
  }
}
