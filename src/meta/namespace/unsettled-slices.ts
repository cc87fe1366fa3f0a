// Which slices nobody has shown to be on the nodes' disks. For each inode that cites such a slice
// there is a mark, so that whoever syncs a file finds all of its bytes, whoever wrote them. Marks
// may outlive what they are about; a slice whose record says that it is settled stays so.
import type { Timespec } from "../../domain/attributes.ts";
import type { Ino, SessionId, SliceId } from "../../domain/ids.ts";
import type {
  SlicePlace,
  UnsettledPage,
  UnsettledSlice,
} from "../../protocol/meta/meta-service.ts";
import { MAX_UNSETTLED_PAGE } from "../../protocol/meta/limits.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import { decodeInode, encodeInode, type Inode } from "../schema/inode.ts";
import { firstNumber, keyRanges, keys, secondNumber, type KeyRange } from "../schema/keys.ts";
import { decodeSlice, encodeSlice } from "../schema/slice.ts";
import { decodeUnsettled, encodeUnsettled, type UnsettledRecord } from "../schema/unsettled.ts";
import { MAX_UNSETTLED_LOOKED_AT } from "./limits.ts";

/** Who made a change, and when. */
export interface ChangedBy {
  readonly session: SessionId;
  readonly now: Timespec;
}

/** The inode, which is not saved here, cites slices that aren't settled. */
export function markUnsettled(
  tx: Transaction,
  inode: Inode,
  slices: Iterable<SliceId>,
  { session, now }: ChangedBy,
): void {
  const record = encodeUnsettled({ session, sinceMs: now.sec * 1000 + Math.floor(now.nsec / 1e6) });
  for (const slice of slices) {
    tx.put(keys.unsettled(inode.ino, slice), record);
    inode.marked = true;
  }
}

export function unsettledOf(
  tx: ReadTransaction,
  { ino, marked }: Inode,
  after: SliceId,
): UnsettledPage {
  if (!marked) return { slices: [] };
  const all = keyRanges.unsettledOf(ino, after);
  return pageOf(walk(tx, all, MAX_UNSETTLED_LOOKED_AT, () => true));
}

/** Those that the session brought. */
export function unsettledOfSession(
  tx: ReadTransaction,
  session: SessionId,
  after: SlicePlace | undefined,
): UnsettledPage {
  return pageOf(walkMarks(tx, after, MAX_UNSETTLED_LOOKED_AT, (by) => by.session === session));
}

function pageOf({ found, next }: MarksPage): UnsettledPage {
  return next === undefined ? { slices: found } : { slices: found, next };
}

/** A part of a walk over all marks. */
export interface MarksPage {
  readonly found: UnsettledSlice[];
  /** Marks that say nothing any more: their slice is settled, or gone. */
  readonly stale: SlicePlace[];
  readonly next: SlicePlace | undefined;
}

/** Looks at `limit` marks behind `after`; finds those that `wanted` wants, a page of them. */
export function walkMarks(
  tx: ReadTransaction,
  after: SlicePlace | undefined,
  limit: number,
  wanted: (by: UnsettledRecord) => boolean,
): MarksPage {
  return walk(tx, keyRanges.allUnsettled(after), limit, wanted);
}

function walk(
  tx: ReadTransaction,
  range: KeyRange,
  limit: number,
  wanted: (by: UnsettledRecord) => boolean,
): MarksPage {
  const found: UnsettledSlice[] = [];
  const stale: SlicePlace[] = [];
  let looked = 0;
  for (const { key, value } of tx.range({ ...range, limit })) {
    const place = { ino: firstNumber(key) as Ino, slice: secondNumber(key) as SliceId };
    looked += 1;
    const slice = unsettledSlice(tx, place);
    if (slice === undefined) stale.push(place);
    else if (wanted(decodeUnsettled(value))) found.push(slice);
    if (looked === limit || found.length === MAX_UNSETTLED_PAGE) {
      return { found, stale, next: place };
    }
  }
  return { found, stale, next: undefined };
}

function unsettledSlice(tx: ReadTransaction, place: SlicePlace): UnsettledSlice | undefined {
  const record = tx.get(keys.slice(place.slice));
  if (record === undefined) return undefined;
  const { unsettled, pool, storedBytes } = decodeSlice(record);
  return unsettled === true ? { ...place, pool, storedBytes } : undefined;
}

/** The slices' blocks are on disk: says so in their records, for all who cite them. */
export function settleSlices(tx: Transaction, places: readonly SlicePlace[]): void {
  for (const { slice } of places) {
    const record = tx.get(keys.slice(slice));
    if (record === undefined) continue;
    const { unsettled, ...settled } = decodeSlice(record);
    if (unsettled === true) tx.put(keys.slice(slice), encodeSlice(settled));
  }
  dropMarks(tx, places);
}

/** Of slices that are settled or gone, which they stay. */
export function dropMarks(tx: Transaction, places: readonly SlicePlace[]): void {
  for (const { ino, slice } of places) tx.delete(keys.unsettled(ino, slice));
  for (const ino of new Set(places.map((place) => place.ino))) {
    const record = tx.get(keys.inode(ino));
    const inode = record && decodeInode(record);
    if (inode?.marked !== true || hasMarks(tx, ino)) continue;
    tx.put(keys.inode(ino), encodeInode({ ...inode, marked: false }));
  }
}

function hasMarks(tx: ReadTransaction, ino: Ino): boolean {
  return [...tx.range({ ...keyRanges.unsettledOf(ino, 0 as SliceId), limit: 1 })].length > 0;
}

/** True where the inode cites a slice that isn't settled, or one look can't tell. */
export function citesUnsettled(tx: ReadTransaction, inode: Inode): boolean {
  const { slices, next } = unsettledOf(tx, inode, 0 as SliceId);
  return slices.length > 0 || next !== undefined;
}
