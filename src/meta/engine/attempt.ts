// A part of a transaction that may fail without the rest.
import type { Transaction } from "./engine.ts";
import { LayerTransaction, withKeys, type Layer } from "./layers.ts";

/** Runs `work` on `tx`. What it wrote counts only when it has returned. */
export function attempt<T>(tx: Transaction, work: (tx: Transaction) => T): T {
  const below: Layer = { get: (key) => tx.get(key), range: (options) => tx.range(options) };
  const part = new LayerTransaction(below, tx.position);
  const result = work(part);
  for (const [key, value] of withKeys(part.changes)) {
    if (value === null) tx.delete(key);
    else tx.put(key, value);
  }
  return result;
}
