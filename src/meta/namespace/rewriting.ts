// What the background jobs that move bytes ask of the store: where data is fragmented or inline,
// and the transactions that put other slices in its place. Each changes only what still is as it
// was read.
import type { PoolId, SliceId } from "../../domain/ids.ts";
import type { Extent, SliceLocation } from "../../domain/layout.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import { decodeExtents, extentCount, extentsAfter, type StoredExtent } from "../schema/extents.ts";
import { chunkOfKey, firstNumber, keyRanges, keys } from "../schema/keys.ts";
import { decodeSlice, encodeSlice, type SliceRecord } from "../schema/slice.ts";
import { ChunkChanges } from "./data.ts";
import { CitationChanges, loadSlice, resolveExtent, sliceExists } from "./slices.ts";
import { bury } from "./tombstones.ts";

/** A chunk of some file: the number its chunks are kept under, and which of them. */
export interface ChunkId {
  readonly data: number;
  readonly chunk: number;
}

/** A page of a walk over everything of a kind; `next` is undefined at the end. */
export interface Page<T, C> {
  readonly found: T[];
  readonly next: C | undefined;
}

/**
 * Looks at `limit` chunks from `from` on; finds those of at least `minExtents` that `wanted` wants.
 */
export function findChunks(
  tx: ReadTransaction,
  from: ChunkId,
  limit: number,
  minExtents: number,
  wanted: (extents: readonly StoredExtent[]) => boolean,
): Page<ChunkId, ChunkId> {
  const found: ChunkId[] = [];
  let looked = 0;
  let last = from;
  const { end } = keyRanges.allChunks();
  for (const { key, value } of tx.range({ start: keys.chunk(from.data, from.chunk), end, limit })) {
    looked += 1;
    last = { data: firstNumber(key), chunk: chunkOfKey(key) };
    if (extentCount(value) >= minExtents && wanted(decodeExtents(value))) found.push(last);
  }
  const next = { data: last.data, chunk: last.chunk + 1 };
  return { found, next: looked < limit ? undefined : next };
}

/** Extents of a chunk in a row, to be put into one slice. */
export interface ExtentRun extends ChunkId {
  readonly pool: PoolId;
  readonly extents: readonly Extent[];
}

/**
 * Of the extents of a chunk that `pick` picks, as a reader needs them, the longest row of one pool
 * that nobody else cites: bytes that files share stay shared. Undefined where that is fewer than
 * `minExtents`.
 */
export function readRun(
  tx: ReadTransaction,
  { data, chunk }: ChunkId,
  minExtents: number,
  pick: (extents: readonly StoredExtent[]) => readonly StoredExtent[],
): ExtentRun | undefined {
  const all = decodeExtents(tx.get(keys.chunk(data, chunk)));
  const citations = new Map<SliceId, number>();
  for (const { slice } of all) citations.set(slice, (citations.get(slice) ?? 0) + 1);
  let longest: StoredExtent[] = [];
  let longestPool: PoolId | undefined;
  let row: StoredExtent[] = [];
  let rowPool: PoolId | undefined;
  for (const extent of pick(all)) {
    const { references, pool } = loadSlice(tx, extent.slice);
    const own = references === citations.get(extent.slice);
    if (!own || pool !== rowPool) row = [];
    if (!own) continue;
    rowPool = pool;
    row.push(extent);
    if (row.length <= longest.length) continue;
    longest = row;
    longestPool = pool;
  }
  if (longestPool === undefined || longest.length < minExtents) return undefined;
  const extents = longest.map((extent) => resolveExtent(tx, extent));
  return { data, chunk, pool: longestPool, extents };
}

/** A slice whose bytes stand on the nodes, or come along, and that nothing cites yet. */
export interface NewSlice {
  readonly slice: SliceId;
  readonly pool: PoolId;
  readonly storedBytes: number;
  readonly inline?: Uint8Array;
}

/**
 * Lets `stored`, which has the bytes of the run's extents one after the other, stand in for them
 * wherever the chunk still shows just these bytes. Where that is less than half of them nothing
 * changes, and `stored` is left to gc.
 * @returns how many bytes moved
 */
export function replaceRun(tx: Transaction, run: ExtentRun, stored: NewSlice): number {
  const record = tx.get(keys.chunk(run.data, run.chunk));
  const pieces = record === undefined ? [] : unchangedPieces(record, run.extents, stored.slice);
  const moved = pieces.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  if (moved * 2 < stored.storedBytes) {
    leaveToGc(tx, stored);
    return 0;
  }
  putNewSlice(tx, stored, pieces.length);
  const changes = new ChunkChanges(tx, run.data);
  for (const piece of pieces) {
    changes.replace(run.chunk, piece.posInChunk, piece.posInChunk + piece.lengthBytes, piece);
  }
  changes.save();
  return moved;
}

/**
 * What the chunk still shows of the extents that were read, as extents of the new slice. A slice is
 * immutable: an extent of the same slice at the same shift has the same bytes.
 */
function unchangedPieces(
  record: Uint8Array,
  read: readonly Extent[],
  slice: SliceId,
): StoredExtent[] {
  const pieces: StoredExtent[] = [];
  let index = 0;
  let base = 0;
  for (const now of extentsAfter(record, read[0]?.posInChunk ?? 0)) {
    let old = read[index];
    while (old !== undefined && old.posInChunk + old.lengthBytes <= now.posInChunk) {
      base += old.lengthBytes;
      index += 1;
      old = read[index];
    }
    if (old === undefined) break;
    if (!shows(now, old)) continue;
    const { posInChunk, lengthBytes } = now;
    const offInSlice = base + posInChunk - old.posInChunk;
    const last = pieces.at(-1);
    const goesOn =
      last !== undefined &&
      last.posInChunk + last.lengthBytes === posInChunk &&
      last.offInSlice + last.lengthBytes === offInSlice;
    if (goesOn) last.lengthBytes += lengthBytes;
    else pieces.push({ posInChunk, lengthBytes, offInSlice, slice });
  }
  return pieces;
}

function shows(now: StoredExtent, old: StoredExtent | Extent): boolean {
  return (
    now.slice === old.slice &&
    now.offInSlice - now.posInChunk === old.offInSlice - old.posInChunk &&
    now.posInChunk >= old.posInChunk &&
    now.posInChunk + now.lengthBytes <= old.posInChunk + old.lengthBytes
  );
}

/** A slice that is inline, or packed into a shared one, with its bytes or where they are. */
export interface SmallSlice {
  readonly slice: SliceId;
  readonly pool: PoolId;
  readonly lengthBytes: number;
  readonly inline?: Uint8Array;
  readonly location?: SliceLocation;
}

/** Looks at slices from `from` on, `limit` of them or up to `maxBytes` of inline bytes. */
export function findSmallSlices(
  tx: ReadTransaction,
  from: SliceId,
  limit: number,
  maxBytes: number,
): Page<SmallSlice, SliceId> {
  const found: SmallSlice[] = [];
  let looked = 0;
  let bytes = 0;
  let last = from;
  const { end } = keyRanges.allSlices();
  for (const { key, value } of tx.range({ start: keys.slice(from), end, limit })) {
    const slice = firstNumber(key) as SliceId;
    const { inline, packed, pool, storedBytes: lengthBytes } = decodeSlice(value);
    bytes += inline?.length ?? 0;
    if (bytes > maxBytes) return { found, next: slice };
    looked += 1;
    last = slice;
    if (inline !== undefined) found.push({ slice, pool, lengthBytes, inline });
    else if (packed !== undefined) found.push({ slice, pool, lengthBytes, location: packed });
  }
  return { found, next: looked < limit ? undefined : ((last + 1) as SliceId) };
}

/**
 * `stored` has the bytes of `members` one after the other: those that still live and are where they
 * were are now to be found there. With none left `stored` is left to gc.
 * @returns how many were moved
 */
export function packSlices(
  tx: Transaction,
  members: readonly SmallSlice[],
  stored: NewSlice,
): number {
  const { slice: id, pool, storedBytes } = stored;
  const left = new CitationChanges();
  let baseBytes = 0;
  let count = 0;
  for (const { slice, lengthBytes, location } of members) {
    const record = tx.get(keys.slice(slice));
    const old = record === undefined ? undefined : decodeSlice(record);
    if (old !== undefined && isAt(old, location)) {
      if (location !== undefined) left.cite(location.id, -1);
      const { references, pool: ownPool } = old;
      const packed = { id, pool, storedBytes, baseBytes };
      const moved = { references, pool: ownPool, storedBytes: lengthBytes, packed };
      tx.put(keys.slice(slice), encodeSlice(moved));
      count += 1;
    }
    baseBytes += lengthBytes;
  }
  if (count === 0) leaveToGc(tx, stored);
  else putNewSlice(tx, stored, count);
  left.apply(tx);
  return count;
}

/** Looks at `limit` slices from `from` on: those whose bytes lie in blocks of their own. */
export function findStripedSlices(
  tx: ReadTransaction,
  from: SliceId,
  limit: number,
): Page<NewSlice, SliceId> {
  const found: NewSlice[] = [];
  let looked = 0;
  let last = from;
  const { end } = keyRanges.allSlices();
  for (const { key, value } of tx.range({ start: keys.slice(from), end, limit })) {
    looked += 1;
    last = firstNumber(key) as SliceId;
    const { inline, packed, pool, storedBytes } = decodeSlice(value);
    if (inline === undefined && packed === undefined)
      found.push({ slice: last, pool, storedBytes });
  }
  return { found, next: looked < limit ? undefined : ((last + 1) as SliceId) };
}

function isAt({ inline, packed }: SliceRecord, location: SliceLocation | undefined): boolean {
  if (location === undefined) return inline !== undefined;
  return packed?.id === location.id && packed.baseBytes === location.baseBytes;
}

function putNewSlice(tx: Transaction, stored: NewSlice, references: number): void {
  const { slice, pool, storedBytes, inline } = stored;
  const record: SliceRecord = { references, pool, storedBytes };
  if (inline !== undefined) record.inline = inline;
  tx.put(keys.slice(slice), encodeSlice(record));
}

/** Of a slice that nothing cites: its shards, where it may have any, are garbage. */
export function leaveToGc(tx: Transaction, { slice, pool, storedBytes, inline }: NewSlice): void {
  if (inline === undefined && !sliceExists(tx, slice)) bury(tx, { slice, pool, storedBytes });
}
