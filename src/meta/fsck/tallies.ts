// Counts kept for a bounded number of records at a time: a store of any size is checked in as many
// passes as it takes.
import type { ReadTransaction } from "../engine/engine.ts";
import { firstNumber, type KeyRange } from "../schema/keys.ts";
import { MAX_TALLIED_RECORDS } from "./limits.ts";

/**
 * Walks the records of a kind whose keys are a letter and a number, in portions: `tally` is given
 * a fresh count for each number of the portion.
 */
export function* tallies<C>(
  tx: ReadTransaction,
  range: KeyRange,
  fresh: () => C,
  limit = MAX_TALLIED_RECORDS,
): Generator<ReadonlyMap<number, C>> {
  let start = range.start;
  for (;;) {
    const counts = new Map<number, C>();
    let last: Uint8Array | undefined;
    for (const { key } of tx.range({ start, end: range.end, limit })) {
      counts.set(firstNumber(key), fresh());
      last = key;
    }
    if (last === undefined) return;
    yield counts;
    start = Buffer.concat([last, Buffer.of(0)]);
  }
}
