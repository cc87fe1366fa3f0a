// Chunk record, version 1: its extents, sorted by position and never overlapping, 20 bytes each, in
// one buffer that is searched and spliced as it is: a chunk may have thousands of extents.
import type { SliceId } from "../../domain/ids.ts";
import { unknownVersion } from "./records.ts";

export interface StoredExtent {
  posInChunk: number;
  lengthBytes: number;
  offInSlice: number;
  slice: SliceId;
}

const VERSION = 1;
const HEAD = 4;
const ENTRY = 20;
const TWO_32 = 2 ** 32;

/** What replacing a window of a chunk did. `extents` are the new record's bytes. */
export interface Splice {
  record: Uint8Array;
  /** Whole extents that are gone, or replaced by their parts. */
  removed: StoredExtent[];
  /** The parts of `removed` that stay. */
  kept: StoredExtent[];
}

/** @throws FsError EIO on an unknown version */
export function extentCount(record: Uint8Array | undefined): number {
  if (record === undefined) return 0;
  if (record[0] !== VERSION) throw unknownVersion("chunk", record);
  return (record.length - HEAD) / ENTRY;
}

/** All extents of a chunk record (undefined: a hole), in order of position. */
export function decodeExtents(record: Uint8Array | undefined): StoredExtent[] {
  const count = extentCount(record);
  const extents: StoredExtent[] = [];
  if (record === undefined) return extents;
  const view = viewOf(record);
  for (let index = 0; index < count; index += 1) extents.push(entryAt(view, index));
  return extents;
}

/** The extents that end after `position` of the chunk, in order. */
export function* extentsAfter(record: Uint8Array, position: number): Generator<StoredExtent> {
  const count = extentCount(record);
  const view = viewOf(record);
  for (let index = firstEndingAfter(view, count, position); index < count; index += 1) {
    yield entryAt(view, index);
  }
}

/**
 * Puts `replacement` (undefined: a hole) in the place of what [from, to) of the chunk has. Extents
 * that reach over an edge are cut there.
 */
export function spliceExtents(
  record: Uint8Array | undefined,
  from: number,
  to: number,
  replacement: StoredExtent | undefined,
): Splice {
  const count = extentCount(record);
  const old = record ?? EMPTY;
  const view = viewOf(old);
  const first = firstEndingAfter(view, count, from);
  const removed: StoredExtent[] = [];
  const before: StoredExtent[] = [];
  const after: StoredExtent[] = [];
  let next = first;
  for (; next < count; next += 1) {
    const extent = entryAt(view, next);
    if (extent.posInChunk >= to) break;
    removed.push(extent);
    if (extent.posInChunk < from) before.push(part(extent, extent.posInChunk, from));
    const end = extent.posInChunk + extent.lengthBytes;
    if (end > to) after.push(part(extent, to, end));
  }
  const middle = [...before, ...(replacement === undefined ? [] : [replacement]), ...after];
  const result = Buffer.allocUnsafe(HEAD + (first + middle.length + count - next) * ENTRY);
  result.fill(0, 0, HEAD);
  result[0] = VERSION;
  result.set(old.subarray(HEAD, HEAD + first * ENTRY), HEAD);
  middle.forEach((extent, index) => writeEntry(result, first + index, extent));
  result.set(old.subarray(HEAD + next * ENTRY), HEAD + (first + middle.length) * ENTRY);
  return { record: result, removed, kept: [...before, ...after] };
}

const EMPTY = Buffer.from([VERSION, 0, 0, 0]);

function viewOf(record: Uint8Array): DataView {
  return new DataView(record.buffer, record.byteOffset, record.byteLength);
}

function part(extent: StoredExtent, from: number, to: number): StoredExtent {
  return {
    posInChunk: from,
    lengthBytes: to - from,
    offInSlice: extent.offInSlice + from - extent.posInChunk,
    slice: extent.slice,
  };
}

function entryAt(view: DataView, index: number): StoredExtent {
  const at = HEAD + index * ENTRY;
  return {
    posInChunk: view.getUint32(at, true),
    lengthBytes: view.getUint32(at + 4, true),
    offInSlice: view.getUint32(at + 8, true),
    slice: (view.getUint32(at + 12, true) + view.getUint32(at + 16, true) * TWO_32) as SliceId,
  };
}

function writeEntry(target: Buffer, index: number, extent: StoredExtent): void {
  const at = HEAD + index * ENTRY;
  target.writeUInt32LE(extent.posInChunk, at);
  target.writeUInt32LE(extent.lengthBytes, at + 4);
  target.writeUInt32LE(extent.offInSlice, at + 8);
  target.writeUInt32LE(extent.slice % TWO_32, at + 12);
  target.writeUInt32LE(Math.floor(extent.slice / TWO_32), at + 16);
}

/** Index of the first extent that ends after `position`; extents are sorted by end as well. */
function firstEndingAfter(view: DataView, count: number, position: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = HEAD + middle * ENTRY;
    if (view.getUint32(at, true) + view.getUint32(at + 4, true) <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}
