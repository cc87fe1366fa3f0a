// The store's counters: whoever hands out numbers that must never come again takes them here, in a
// transaction that is on disk before a number is told to anyone.
import { invariant } from "../../domain/invariant.ts";
import { SLICE_RANGE_SIZE } from "../../protocol/meta/limits.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import { keys } from "./keys.ts";
import { decodeRecord, encodeRecord } from "./records.ts";

const VERSION = 1;

/** By what it counts: the number that an untouched one begins with. */
const FIRST = { ids: 2, session: 1, slice: SLICE_RANGE_SIZE } as const;

/** ids: inos, cookies and `data` numbers of the namespace; the root has 1. */
export type Counter = keyof typeof FIRST;

/**
 * What a store leaps by that went on from an older state: more than can have been taken since, and
 * few enough for thousands of leaps. A multiple of what slice ids are handed out by.
 */
const LEAP = 2 ** 40;

invariant(LEAP % SLICE_RANGE_SIZE === 0, "a leap leaves ranges of slice ids aligned");

/** Every number below was taken; undefined while none was. */
export function takenBelow(tx: ReadTransaction, counter: Counter): number | undefined {
  const record = tx.get(keys.counter(counter));
  return record === undefined ? undefined : decodeRecord(record, { [VERSION]: Number });
}

/** The first of `count` numbers. The transaction must be durable before they are used. */
export function takeNumbers(tx: Transaction, counter: Counter, count: number): number {
  const first = takenBelow(tx, counter) ?? FIRST[counter];
  tx.put(keys.counter(counter), encodeRecord(VERSION, first + count));
  return first;
}

/** For a store that may have forgotten what was taken: no counter gives a number again. */
export function leapCounters(tx: Transaction): void {
  for (const counter of Object.keys(FIRST)) takeNumbers(tx, counter as Counter, LEAP); // its keys
}
