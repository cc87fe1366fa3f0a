// The database below the engine, as a layer: what checkpoints carry there, and how far they came.
import type { OrderedStore, StoreTable } from "../../platform/store/ordered-store.ts";
import type { Key, RangeOptions } from "./engine.ts";
import type { Entry, Layer } from "./layers.ts";

const APPLIED_KEY = Buffer.from("applied");

/** A journal's generation, and the checksum that the next one continues. */
export interface AppliedJournal {
  generation: number;
  crc: number;
}

export class CheckpointStore implements Layer {
  readonly #store: OrderedStore;
  readonly #data: StoreTable;
  readonly #engine: StoreTable;

  /** Owns `store`, whose commits are on disk when they resolve. */
  constructor(store: OrderedStore) {
    this.#store = store;
    this.#data = store.table("data");
    this.#engine = store.table("engine");
  }

  get(key: Key): Uint8Array | undefined {
    return this.#data.get(key);
  }

  range(range: RangeOptions): Iterable<Entry> {
    return this.#data.range(range);
  }

  /** The last journal that is wholly in the database; generation 0 if none. */
  appliedJournal(): AppliedJournal {
    const record = this.#engine.get(APPLIED_KEY);
    if (record === undefined) return { generation: 0, crc: 0 };
    return { generation: Number(record.readBigUInt64LE()), crc: record.readUInt32LE(8) };
  }

  /**
   * Writes pairs (null deletes), and the journal they end where given, in one transaction.
   * @throws FsError ENOSPC, EIO
   */
  write(
    entries: readonly (readonly [Uint8Array, Uint8Array | null])[],
    applied?: AppliedJournal,
  ): Promise<void> {
    return this.#store.write((batch) => {
      for (const [key, value] of entries) {
        if (value === null) batch.remove(this.#data, key);
        else batch.put(this.#data, key, value);
      }
      if (applied === undefined) return;
      const record = Buffer.alloc(12);
      record.writeBigUInt64LE(BigInt(applied.generation));
      record.writeUInt32LE(applied.crc, 8);
      batch.put(this.#engine, APPLIED_KEY, record);
    });
  }

  /** Bytes of the file that are written to before it grows. */
  reusableBytes(): number {
    return this.#store.reusableBytes();
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
