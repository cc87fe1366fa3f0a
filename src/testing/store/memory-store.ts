// An OrderedStore in memory, for tests and as the second that its conformance suite runs against.
import type { OrderedStore, StoreBatch, StoreTable } from "../../platform/store/ordered-store.ts";
import { keyText, MemoryTable, ownTable } from "./memory-table.ts";

export class MemoryStore implements OrderedStore {
  readonly broken = undefined;
  readonly #tables = new Map<string, MemoryTable>();

  table(name: string): StoreTable {
    const table = this.#tables.get(name) ?? new MemoryTable(name);
    this.#tables.set(name, table);
    return table;
  }

  async write(fill: (batch: StoreBatch) => void): Promise<void> {
    const changes: (() => void)[] = [];
    fill({
      put: (table, key, value) => changes.push(() => ownTable(table).put(keyText(key), value)),
      remove: (table, key) => changes.push(() => ownTable(table).remove(keyText(key))),
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
