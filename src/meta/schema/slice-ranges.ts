// Whose slice ids are whose: ranges of them that were issued to sessions, and those that came back
// when sessions ended. What is known of an id stays known for ever, at a few bytes a range.
import type { SessionId, SliceId } from "../../domain/ids.ts";
import { SLICE_RANGE_SIZE } from "../../protocol/meta/limits.ts";
import type { SliceRange } from "../../protocol/meta/meta-service.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import { takeNumbers } from "./counters.ts";
import { firstNumber, keyRanges, keys, secondNumber } from "./keys.ts";
import { decodeRecord, encodeRecord } from "./records.ts";
import { loadSessions } from "./session-records.ts";

const RANGE_VERSION = 2;
const ENDED_VERSION = 1;

/** Ids of an ended session, up to `end`. */
interface EndedRange {
  readonly end: number;
  /** All groups were looked at since: no shards of theirs lie about. */
  readonly isSurveyed: boolean;
}

// Written by putRange and putEnded only.
const RANGE_READERS = { [RANGE_VERSION]: (stored: unknown) => stored as Uint8Array };
const ENDED_READERS = {
  [ENDED_VERSION]: (stored: unknown): EndedRange => {
    const [end, isSurveyed] = stored as [number, boolean];
    return { end, isSurveyed };
  },
};

/** Hands slice ids to a session. The transaction must be durable before they are told to anyone. */
export function takeSliceRange(tx: Transaction, session: SessionId): SliceRange {
  const first = takeNumbers(tx, "slice", SLICE_RANGE_SIZE) as SliceId;
  putRange(tx, session, first, new Uint8Array(SLICE_RANGE_SIZE / 8));
  return { first, count: SLICE_RANGE_SIZE };
}

/** Bit by bit, which slices of the range are over. */
function putRange(tx: Transaction, session: SessionId, first: SliceId, over: Uint8Array): void {
  tx.put(keys.sliceRange(session, first), encodeRecord(RANGE_VERSION, over));
}

/** Ranges begin at multiples of their size, so an id tells its range. */
function rangeOf(slice: SliceId): SliceId {
  return (slice - (slice % SLICE_RANGE_SIZE)) as SliceId;
}

export function holdsSlice(tx: ReadTransaction, session: SessionId, slice: SliceId): boolean {
  return tx.get(keys.sliceRange(session, rangeOf(slice))) !== undefined;
}

/**
 * Moves up to `limit` ranges of a session that can't commit any more to those that ended. False
 * when some are left.
 */
export function endSliceRanges(tx: Transaction, session: SessionId, limit: number): boolean {
  const found = [...tx.range({ ...keyRanges.sliceRanges(session), limit })];
  for (const { key } of found) {
    const first = secondNumber(key) as SliceId;
    tx.delete(key);
    putEnded(tx, first, { end: first + SLICE_RANGE_SIZE, isSurveyed: false });
  }
  return found.length < limit;
}

/**
 * Ids from `first` on, below `end`, were issued in a life of the store that this one knows nothing
 * of: whoever had them can't commit any more.
 */
export function endUnknownRange(tx: Transaction, first: SliceId, end: SliceId): void {
  putEnded(tx, first, { end, isSurveyed: false });
}

function putEnded(tx: Transaction, first: SliceId, { end, isSurveyed }: EndedRange): void {
  tx.put(keys.endedRange(first), encodeRecord(ENDED_VERSION, [end, isSurveyed]));
}

/** It was issued to a session whose end is recorded. */
export function isEnded(tx: ReadTransaction, slice: SliceId): boolean {
  const found = endedAt(tx, slice);
  return found !== undefined && slice < found.end;
}

/** The ended range that begins at `slice` or before. */
function endedAt(
  tx: ReadTransaction,
  slice: SliceId,
): (EndedRange & { first: SliceId }) | undefined {
  const range = { ...keyRanges.endedRanges(), end: keys.endedRange((slice + 1) as SliceId) };
  for (const { key, value } of tx.range({ ...range, reverse: true, limit: 1 })) {
    return { first: firstNumber(key) as SliceId, ...decodeRecord(value, ENDED_READERS) };
  }
  return undefined;
}

/** First ids of ended ranges of which shards without a slice may lie about. */
export function unsurveyedRanges(tx: ReadTransaction): SliceId[] {
  return [...tx.range(keyRanges.endedRanges())]
    .filter(({ value }) => !decodeRecord(value, ENDED_READERS).isSurveyed)
    .map(({ key }) => firstNumber(key) as SliceId);
}

/** Nothing lies about of these ranges. Neighbours become one. */
export function markSurveyed(tx: Transaction, firsts: readonly SliceId[]): void {
  for (const first of firsts) {
    const range = endedAt(tx, first);
    if (range === undefined || range.first !== first || range.isSurveyed) continue;
    const left = endedAt(tx, (first - 1) as SliceId);
    const right = endedAt(tx, range.end as SliceId);
    const joinsLeft = left?.isSurveyed === true && left.end === first;
    const joinsRight = right?.isSurveyed === true && right.first === range.end;
    if (joinsLeft) tx.delete(keys.endedRange(first));
    if (joinsRight) tx.delete(keys.endedRange(right.first));
    const end = joinsRight ? right.end : range.end;
    putEnded(tx, joinsLeft ? left.first : first, { end, isSurveyed: true });
  }
}

/** Which living session a slice id was issued to, looked up for many in one transaction. */
export class SliceOwners {
  readonly #tx: ReadTransaction;
  readonly #owners = new Map<SliceId, SessionId | undefined>();
  #sessions: SessionId[] | undefined;

  constructor(tx: ReadTransaction) {
    this.#tx = tx;
  }

  ownerOf(slice: SliceId): SessionId | undefined {
    const first = rangeOf(slice);
    if (!this.#owners.has(first)) {
      this.#sessions ??= loadSessions(this.#tx).map(({ id }) => id);
      const owner = this.#sessions.find((session) => holdsSlice(this.#tx, session, slice));
      this.#owners.set(first, owner);
    }
    return this.#owners.get(first);
  }

  /** True when the slice was committed once, died, and went from every node. */
  isOver(owner: SessionId, slice: SliceId): boolean {
    const record = this.#tx.get(keys.sliceRange(owner, rangeOf(slice)));
    if (record === undefined) return false;
    const at = slice % SLICE_RANGE_SIZE;
    const byte = decodeRecord(record, RANGE_READERS)[at >> 3] ?? 0;
    return (byte & (1 << (at & 7))) !== 0;
  }

  /** Its tombstone goes; a shard of it that turns up later is known to be dead by this. */
  noteOver(tx: Transaction, slice: SliceId): void {
    const owner = this.ownerOf(slice);
    if (owner === undefined) return;
    const first = rangeOf(slice);
    const record = tx.get(keys.sliceRange(owner, first));
    if (record === undefined) return;
    const over = Uint8Array.from(decodeRecord(record, RANGE_READERS));
    const at = slice - first;
    over[at >> 3] = (over[at >> 3] ?? 0) | (1 << (at & 7));
    putRange(tx, owner, first, over);
  }
}
