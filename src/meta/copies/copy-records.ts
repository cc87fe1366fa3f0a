// Which copies stand on the storage nodes: a record each, written before the first block of the
// copy is, so that every block has one that explains it.
import { CHUNK_BYTES, COPY_PARTS, COPY_POOL, COPY_SLICES_FROM } from "../../domain/format.ts";
import { invariant } from "../../domain/invariant.ts";
import type { SliceId } from "../../domain/ids.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import { buryUncited } from "../namespace/slices.ts";
import { bury } from "../namespace/tombstones.ts";
import { takenBelow } from "../schema/counters.ts";
import { firstNumber, keyRanges, keys } from "../schema/keys.ts";
import { decodeRecord, encodeRecord } from "../schema/records.ts";
import { endUnknownRange } from "../schema/slice-ranges.ts";
import { encodeSlice } from "../schema/slice.ts";

const VERSION = 1;
const COUNTER = "copies";
/** Slices that copies may cite are below. */
const CITED_COUNTER = "copied";
const FIRST = 1;
/** More copies than a cluster makes between two restores, and few enough for thousands of them. */
const LEAP = 2 ** 20;

export interface StoredCopy {
  readonly number: number;
  /** Wall clock when it was begun. */
  readonly madeMs: number;
  /** Slices of 64 MiB that it has, or may have, blocks in. */
  readonly parts: number;
  /** Known when it is whole and on the nodes' disks; absent before. */
  readonly sizeBytes?: number;
}

export function copySlice(number: number, part: number): SliceId {
  invariant(part < COPY_PARTS, "a copy has too many parts", { number, part });
  return (COPY_SLICES_FROM + number * COPY_PARTS + part) as SliceId;
}

/** Undefined for a slice of user data. */
export function copyOfSlice(slice: SliceId): { number: number; part: number } | undefined {
  const at = slice - COPY_SLICES_FROM;
  if (at < 0) return undefined;
  return { number: Math.floor(at / COPY_PARTS), part: at % COPY_PARTS };
}

/** Oldest first. */
export function storedCopies(tx: ReadTransaction): StoredCopy[] {
  return [...tx.range(keyRanges.copies())].map(({ key, value }) => readCopyRecord(key, value));
}

function readCopyRecord(key: Uint8Array, value: Uint8Array): StoredCopy {
  // Written by putCopy only.
  const readers = { [VERSION]: (stored: unknown) => stored as Omit<StoredCopy, "number"> };
  return { number: firstNumber(key), ...decodeRecord(value, readers) };
}

function putCopy(tx: Transaction, { number, ...rest }: StoredCopy): void {
  tx.put(keys.copy(number), encodeRecord(VERSION, rest));
}

function numberOf(tx: ReadTransaction, counter: string): number | undefined {
  const record = tx.get(keys.counter(counter));
  return record === undefined ? undefined : decodeRecord(record, { [VERSION]: Number });
}

function putNumber(tx: Transaction, counter: string, number: number): void {
  tx.put(keys.counter(counter), encodeRecord(VERSION, number));
}

/**
 * For a store that may have forgotten which copies there are, or that one has ended since: slices
 * of others than it knows to be whole are nobody's, unless they are adopted.
 */
export function leapCopies(tx: Transaction): void {
  for (const { number, sizeBytes } of storedCopies(tx)) {
    if (sizeBytes !== undefined) continue;
    tx.delete(keys.copy(number));
    endUnknownRange(tx, copySlice(number, 0), copySlice(number + 1, 0));
  }
  const next = numberOf(tx, COUNTER) ?? FIRST;
  putNumber(tx, COUNTER, next + LEAP);
  endUnknownRange(tx, copySlice(next, 0), copySlice(next + LEAP, 0));
  noteCited(tx);
}

/** The transaction must be durable before a block of the copy is put. */
export function beginCopy(tx: Transaction, madeMs: number): StoredCopy {
  const number = numberOf(tx, COUNTER) ?? FIRST;
  putNumber(tx, COUNTER, number + 1);
  const copy = { number, madeMs, parts: 0 };
  putCopy(tx, copy);
  return copy;
}

/** One slice more. The transaction must be durable before a block of it is put. */
export function addCopyPart(tx: Transaction, copy: StoredCopy): StoredCopy {
  const longer = { ...copy, parts: copy.parts + 1 };
  putCopy(tx, longer);
  return longer;
}

/** The copy is whole, and on the nodes' disks: its slices live. */
export function finishCopy(tx: Transaction, copy: StoredCopy, sizeBytes: number): void {
  for (let part = 0; part < copy.parts; part += 1) {
    const storedBytes = Math.min(CHUNK_BYTES, sizeBytes - part * CHUNK_BYTES);
    const record = { references: 1, pool: COPY_POOL, storedBytes };
    tx.put(keys.slice(copySlice(copy.number, part)), encodeSlice(record));
  }
  putCopy(tx, { ...copy, sizeBytes });
}

/** Whatever was given by now a copy may cite: one that ends now, or that the store was made of. */
export function noteCited(tx: Transaction): void {
  putNumber(tx, CITED_COUNTER, takenBelow(tx, "slice") ?? 0);
}

/** What is dead here a copy may cite, if its id is below: it was given when the newest ended. */
export function copiesCiteBelow(tx: ReadTransaction): SliceId {
  return (numberOf(tx, CITED_COUNTER) ?? 0) as SliceId;
}

/** The slice is one of a copy that is being put. */
export function isBeingPut(tx: ReadTransaction, slice: SliceId): boolean {
  const copy = copyOfSlice(slice);
  const record = copy === undefined ? undefined : tx.get(keys.copy(copy.number));
  if (copy === undefined || record === undefined) return false;
  const { parts, sizeBytes } = readCopyRecord(keys.copy(copy.number), record);
  return sizeBytes === undefined && copy.part < parts;
}

/** A copy that was found whole on the nodes; nothing changes where it is known. */
export function adoptCopy(
  tx: Transaction,
  found: { readonly number: number; readonly parts: number },
  whole: { readonly madeMs: number; readonly sizeBytes: number },
): void {
  const { number, parts } = found;
  if (storedCopies(tx).some((known) => known.number === number)) return;
  finishCopy(tx, { number, parts, madeMs: whole.madeMs }, whole.sizeBytes);
}

/** Its blocks go to gc. */
export function dropCopy(tx: Transaction, { number, parts, sizeBytes }: StoredCopy): void {
  tx.delete(keys.copy(number));
  for (let part = 0; part < parts; part += 1) {
    const slice = copySlice(number, part);
    if (sizeBytes !== undefined) buryUncited(tx, slice);
    // Nobody knows which of its blocks were put.
    else bury(tx, { slice, pool: COPY_POOL, storedBytes: CHUNK_BYTES });
  }
}
