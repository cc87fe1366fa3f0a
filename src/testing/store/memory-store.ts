// An OrderedStore in memory, for tests and as the second that its conformance suite runs against.
import { invariant } from "../../domain/invariant.ts";
import type {
  OrderedStore,
  StoreBatch,
  StoreEntry,
  StoreRange,
  StoreTable,
} from "../../platform/store/ordered-store.ts";

class MemoryTable implements StoreTable {
  /** By key as latin1 text, whose order is that of the bytes. */
  readonly entries = new Map<string, Buffer>();

  get(key: Uint8Array): Buffer | undefined {
    const value = this.entries.get(textOf(key));
    return value === undefined ? undefined : Buffer.from(value);
  }

  peek(key: Uint8Array): Buffer | undefined {
    return this.entries.get(textOf(key));
  }

  *range({ start, exclusiveStart, end, limit, reverse }: StoreRange): Generator<StoreEntry> {
    const from = textOf(start);
    const to = end === undefined ? undefined : textOf(end);
    const keys = [...this.entries.keys()]
      .filter((key) => key > from || (key === from && exclusiveStart !== true))
      .filter((key) => to === undefined || key < to)
      .sort((one, other) => (one < other ? -1 : 1));
    if (reverse === true) keys.reverse();
    for (const key of keys.slice(0, limit)) {
      const value = this.entries.get(key);
      if (value !== undefined) yield { key: Buffer.from(key, "latin1"), value };
    }
  }

  *keys(range: StoreRange): Generator<Buffer> {
    for (const { key } of this.range(range)) yield key;
  }
}

export class MemoryStore implements OrderedStore {
  readonly #tables = new Map<string, MemoryTable>();

  table(name: string): StoreTable {
    const table = this.#tables.get(name) ?? new MemoryTable();
    this.#tables.set(name, table);
    return table;
  }

  async write(fill: (batch: StoreBatch) => void): Promise<void> {
    const changes: (() => void)[] = [];
    fill({
      put: (table, key, value) =>
        changes.push(() => entriesOf(table).set(textOf(key), Buffer.from(value))),
      remove: (table, key) => changes.push(() => entriesOf(table).delete(textOf(key))),
    });
    await Promise.resolve();
    for (const change of changes) change();
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }

  reusableBytes(): number {
    return 0;
  }

  otherUsers(): string[] {
    return [];
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function entriesOf(table: StoreTable): Map<string, Buffer> {
  invariant(table instanceof MemoryTable, "a store takes its own tables");
  return table.entries;
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
