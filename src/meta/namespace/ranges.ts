// Ranges of a file without new bytes: holes, growth, copies by reference, and where data is. Each
// change is a bounded step, so that no range, however long, makes a transaction long.
import { withoutPrivileges } from "../../domain/attribute-rules.ts";
import type { Timespec } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import type { SliceId } from "../../domain/ids.ts";
import { chunkIndex } from "../../domain/layout.ts";
import { CHUNK_BYTES } from "../../domain/format.ts";
import {
  MAX_CHUNKS_DROPPED_AT_ONCE,
  MAX_CHUNKS_SEARCHED_AT_ONCE,
  MAX_EXTENTS_COPIED_AT_ONCE,
  MAX_EXTENTS_DROPPED_AT_ONCE,
} from "./limits.ts";
import { MAX_FILE_BYTES } from "../../domain/limits.ts";
import type {
  DataRun,
  RangeChange,
  RangeCopy,
  RangeReply,
} from "../../protocol/meta/meta-service.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import { extentCount, extentsAfter, type StoredExtent } from "../schema/extents.ts";
import { attrOf, type Inode } from "../schema/inode.ts";
import { chunkOfKey, keyRanges } from "../schema/keys.ts";
import { allocate, ChunkChanges } from "./data.ts";
import { requireRegular } from "./entries.ts";
import { loadInode, saveInode, stampContent } from "./inodes.ts";
import { loadSlice } from "./slices.ts";
import { markUnsettled, type ChangedBy } from "./unsettled-slices.ts";

/** Runs that touch are told as one, as far as one search looks. */
export function nextData(tx: ReadTransaction, inode: Inode, offset: number): DataRun {
  const { sizeBytes } = inode;
  const none = { from: sizeBytes, to: sizeBytes, sizeBytes };
  if (offset >= sizeBytes || inode.allocatedBytes === 0) return none;
  const range = keyRanges.chunksFrom(inode.data, chunkIndex(offset));
  let run: { from: number; to: number } | undefined;
  for (const { key, value } of tx.range({ ...range, limit: MAX_CHUNKS_SEARCHED_AT_ONCE })) {
    const base = chunkOfKey(key) * CHUNK_BYTES;
    for (const extent of extentsAfter(value, Math.max(0, offset - base))) {
      const start = base + extent.posInChunk;
      if (run !== undefined && start !== run.to) return { ...run, sizeBytes };
      run ??= { from: Math.max(offset, start), to: start };
      run.to = start + extent.lengthBytes;
    }
  }
  return run === undefined ? none : { ...run, sizeBytes };
}

/** @throws FsError ENOENT, EISDIR…, EFBIG, EINVAL */
export function changeRange(tx: Transaction, request: RangeChange, now: Timespec): RangeReply {
  const { offset, lengthBytes, clear, extend, killPrivileges } = request;
  const inode = loadInode(tx, request.ino);
  requireRegular(inode);
  if (lengthBytes === 0) throw new FsError("EINVAL", "an empty range");
  if (extend) requireWithinFile(offset + lengthBytes);
  const doneBytes = clear ? clearStep(tx, inode, offset, lengthBytes) : lengthBytes;
  if (extend) inode.sizeBytes = Math.max(inode.sizeBytes, offset + doneBytes);
  finish(tx, inode, killPrivileges, now);
  return { attr: attrOf(inode), doneBytes };
}

/** For a session. @throws FsError ENOENT, EISDIR…, EFBIG, EINVAL (overlap) */
export function copyRange(tx: Transaction, request: RangeCopy, by: ChangedBy): RangeReply {
  const { sourceOffset, targetOffset, killPrivileges } = request;
  const source = loadInode(tx, request.source);
  const target = request.source === request.target ? source : loadInode(tx, request.target);
  requireRegular(source);
  requireRegular(target);
  const wantedBytes = Math.min(request.lengthBytes, source.sizeBytes - sourceOffset);
  if (wantedBytes <= 0) return { attr: attrOf(target), doneBytes: 0 };
  requireWithinFile(targetOffset + wantedBytes);
  if (source === target && Math.abs(sourceOffset - targetOffset) < wantedBytes) {
    throw new FsError("EINVAL", "source and target of a copy overlap");
  }
  const pieces = piecesOf(tx, source, sourceOffset, wantedBytes);
  const doneBytes = boundedBytes(tx, target, targetOffset, pieces.coveredBytes);
  const changes = new ChunkChanges(tx, target.data);
  clearWithin(tx, target, changes, targetOffset, doneBytes);
  const unsettled = new Set<SliceId>();
  for (const { at, extent } of pieces.list) {
    if (at >= doneBytes) continue;
    cite(changes, targetOffset, at, doneBytes, extent);
    if (loadSlice(tx, extent.slice).unsettled === true) unsettled.add(extent.slice);
  }
  changes.save();
  markUnsettled(tx, target, unsettled, by);
  allocate(tx, target, changes.allocatedBytes);
  target.sizeBytes = Math.max(target.sizeBytes, targetOffset + doneBytes);
  finish(tx, target, killPrivileges, by.now);
  return { attr: attrOf(target), doneBytes };
}

function requireWithinFile(end: number): void {
  if (end > MAX_FILE_BYTES) throw new FsError("EFBIG", `files end at ${MAX_FILE_BYTES} bytes`);
}

function finish(tx: Transaction, inode: Inode, killPrivileges: boolean, now: Timespec): void {
  if (killPrivileges) inode.mode = withoutPrivileges(inode.mode);
  stampContent(inode, now);
  saveInode(tx, inode);
}

/** Makes holes from `offset` on; returns how many of the `lengthBytes` are dealt with. */
function clearStep(tx: Transaction, inode: Inode, offset: number, lengthBytes: number): number {
  const doneBytes = boundedBytes(tx, inode, offset, lengthBytes);
  const changes = new ChunkChanges(tx, inode.data);
  clearWithin(tx, inode, changes, offset, doneBytes);
  changes.save();
  allocate(tx, inode, changes.allocatedBytes);
  return doneBytes;
}

/** How much of the range one transaction may clear; at least what lies in the first chunk. */
function boundedBytes(
  tx: ReadTransaction,
  inode: Inode,
  offset: number,
  lengthBytes: number,
): number {
  let chunks = 0;
  let extents = 0;
  for (const { key, value } of recordsWithin(tx, inode, offset, lengthBytes)) {
    chunks += 1;
    extents += extentCount(value);
    const full = chunks > MAX_CHUNKS_DROPPED_AT_ONCE || extents > MAX_EXTENTS_DROPPED_AT_ONCE;
    if (full && chunks > 1) return chunkOfKey(key) * CHUNK_BYTES - offset;
  }
  return lengthBytes;
}

/** Chunk records that the range touches, as many as one step may need and one more. */
function recordsWithin(
  tx: ReadTransaction,
  inode: Inode,
  offset: number,
  lengthBytes: number,
): { key: Uint8Array; value: Uint8Array }[] {
  const end = Math.min(offset + lengthBytes, inode.sizeBytes);
  if (end <= offset || inode.allocatedBytes === 0) return [];
  const range = keyRanges.chunksBetween(inode.data, chunkIndex(offset), chunkIndex(end - 1));
  return [...tx.range({ ...range, limit: MAX_CHUNKS_DROPPED_AT_ONCE + 1 })];
}

function clearWithin(
  tx: ReadTransaction,
  inode: Inode,
  changes: ChunkChanges,
  offset: number,
  lengthBytes: number,
): void {
  for (const { key } of recordsWithin(tx, inode, offset, lengthBytes)) {
    const chunk = chunkOfKey(key);
    const base = chunk * CHUNK_BYTES;
    const from = Math.max(0, offset - base);
    const to = Math.min(CHUNK_BYTES, offset + lengthBytes - base);
    changes.replace(chunk, from, to, undefined);
  }
}

/** A part of an extent, and how far behind the range's start it lies. */
interface Piece {
  at: number;
  extent: Pick<StoredExtent, "lengthBytes" | "offInSlice" | "slice">;
}

/** The extents of a range, as many as one step takes, and how much of the range these are. */
function piecesOf(
  tx: ReadTransaction,
  inode: Inode,
  offset: number,
  lengthBytes: number,
): { list: Piece[]; coveredBytes: number } {
  const list: Piece[] = [];
  const records = recordsWithin(tx, inode, offset, lengthBytes);
  for (const [index, { key, value }] of records.entries()) {
    const base = chunkOfKey(key) * CHUNK_BYTES;
    if (index === MAX_CHUNKS_DROPPED_AT_ONCE) return { list, coveredBytes: base - offset };
    for (const extent of extentsAfter(value, Math.max(0, offset - base))) {
      const start = base + extent.posInChunk;
      if (start >= offset + lengthBytes) break;
      const at = Math.max(0, start - offset);
      if (list.length === MAX_EXTENTS_COPIED_AT_ONCE) return { list, coveredBytes: at };
      const skipped = offset + at - start;
      const usable = Math.min(extent.lengthBytes - skipped, lengthBytes - at);
      const offInSlice = extent.offInSlice + skipped;
      list.push({ at, extent: { lengthBytes: usable, offInSlice, slice: extent.slice } });
    }
  }
  return { list, coveredBytes: lengthBytes };
}

/** Maps a piece into the target, cut where the target's chunks end and where the step does. */
function cite(
  changes: ChunkChanges,
  targetOffset: number,
  at: number,
  doneBytes: number,
  { lengthBytes, offInSlice, slice }: Piece["extent"],
): void {
  const end = Math.min(lengthBytes, doneBytes - at);
  for (let from = 0; from < end;) {
    const position = targetOffset + at + from;
    const chunk = chunkIndex(position);
    const posInChunk = position - chunk * CHUNK_BYTES;
    const step = Math.min(end - from, CHUNK_BYTES - posInChunk);
    changes.cite(chunk, {
      posInChunk,
      lengthBytes: step,
      offInSlice: offInSlice + from,
      slice,
    });
    from += step;
  }
}
