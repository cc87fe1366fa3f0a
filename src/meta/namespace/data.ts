// A file's content as extents: reading them, committing new ones, truncating.
import { withoutPrivileges } from "../../domain/attribute-rules.ts";
import { FsError } from "../../domain/errno.ts";
import { chunkIndex } from "../../domain/layout.ts";
import { CHUNK_BYTES, MAX_INLINE_BYTES } from "../../domain/format.ts";
import { MAX_CHUNKS_DROPPED_AT_ONCE, MAX_EXTENTS_DROPPED_AT_ONCE } from "./limits.ts";
import { MAX_COMMIT_EXTENTS } from "../../protocol/meta/limits.ts";
import { MAX_FILE_BYTES } from "../../domain/limits.ts";
import type {
  ChunkExtents,
  CommitRequest,
  ExtentCommit,
} from "../../protocol/meta/meta-service.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import { decodeExtents, extentCount, spliceExtents, type StoredExtent } from "../schema/extents.ts";
import type { Inode } from "../schema/inode.ts";
import { chunkOfKey, keyRanges, keys, type KeyRange } from "../schema/keys.ts";
import { requireRegular } from "./entries.ts";
import { adjustUsage, loadInode, saveInode, stampChange } from "./inodes.ts";
import type { NumberSource } from "./number-ranges.ts";
import { queueReap } from "./reaper.ts";
import { addSlice, CitationChanges, resolveExtent } from "./slices.ts";
import { markUnsettled, type ChangedBy } from "./unsettled-slices.ts";

export function extentsOf(
  tx: ReadTransaction,
  inode: Inode,
  chunks: readonly number[],
): ChunkExtents[] {
  return chunks.map((chunk) => {
    const stored = decodeExtents(tx.get(keys.chunk(inode.data, chunk)));
    return { chunk, extents: stored.map((extent) => resolveExtent(tx, extent)) };
  });
}

/** Chunk records of one file while a transaction changes them: each is read and written once. */
export class ChunkChanges {
  readonly #tx: Transaction;
  readonly #data: number;
  readonly #records = new Map<number, Uint8Array | undefined>();
  readonly #citations = new CitationChanges();
  /** How much more (or less) of the chunks is mapped than before. */
  allocatedBytes = 0;

  constructor(tx: Transaction, data: number) {
    this.#tx = tx;
    this.#data = data;
  }

  /** Maps `extent` (whose slice already counts it), or makes a hole of [from, to). */
  replace(chunk: number, from: number, to: number, extent: StoredExtent | undefined): void {
    if (!this.#records.has(chunk)) {
      this.#records.set(chunk, this.#tx.get(keys.chunk(this.#data, chunk)));
    }
    const old = this.#records.get(chunk);
    if (old === undefined && extent === undefined) return;
    const { record, removed, kept } = spliceExtents(old, from, to, extent);
    this.#citations.add(removed, -1);
    this.#citations.add(kept, 1);
    this.allocatedBytes += totalBytes(kept) - totalBytes(removed) + (extent?.lengthBytes ?? 0);
    this.#records.set(chunk, record);
  }

  /** Maps `extent` of a slice that others cite already. */
  cite(chunk: number, extent: StoredExtent): void {
    this.replace(chunk, extent.posInChunk, extent.posInChunk + extent.lengthBytes, extent);
    this.#citations.add([extent], 1);
  }

  save(): void {
    for (const [chunk, record] of this.#records) {
      if (record === undefined) continue;
      const key = keys.chunk(this.#data, chunk);
      if (extentCount(record) === 0) this.#tx.delete(key);
      else this.#tx.put(key, record);
    }
    this.#citations.apply(this.#tx);
  }
}

function totalBytes(extents: readonly StoredExtent[]): number {
  let sum = 0;
  for (const { lengthBytes } of extents) sum += lengthBytes;
  return sum;
}

/**
 * The transaction of CommitRequest, for a session. @throws FsError ENOENT, EISDIR…, EINVAL, EFBIG
 */
export function commitExtents(tx: Transaction, request: CommitRequest, by: ChangedBy): Inode {
  const inode = loadInode(tx, request.ino);
  requireRegular(inode);
  if (request.extents.length > MAX_COMMIT_EXTENTS) {
    throw new FsError("EINVAL", `a commit has more than ${MAX_COMMIT_EXTENTS} extents`);
  }
  const size = request.extents.reduce(
    (end, extent) => Math.max(end, requireSound(extent)),
    Math.max(inode.sizeBytes, request.minSizeBytes),
  );
  if (size > MAX_FILE_BYTES) throw new FsError("EFBIG", `files end at ${MAX_FILE_BYTES} bytes`);
  const changes = new ChunkChanges(tx, inode.data);
  for (const commit of request.extents) {
    const { chunk, posInChunk, lengthBytes, slice } = commit;
    addSlice(tx, commit, request.durable);
    const extent = { posInChunk, lengthBytes, offInSlice: 0, slice };
    changes.replace(chunk, posInChunk, posInChunk + lengthBytes, extent);
  }
  changes.save();
  if (!request.durable) {
    const striped = request.extents.filter(({ inline }) => inline === undefined);
    const slices = striped.map(({ slice }) => slice);
    markUnsettled(tx, inode, slices, by);
  }
  inode.sizeBytes = size;
  if (request.killPrivileges) inode.mode = withoutPrivileges(inode.mode);
  inode.mtimeSec = request.mtime.sec;
  inode.mtimeNsec = request.mtime.nsec;
  stampChange(inode, by.now);
  allocate(tx, inode, changes.allocatedBytes);
  saveInode(tx, inode);
  return inode;
}

/** @returns the extent's end in the file. @throws FsError EINVAL, EFBIG */
function requireSound({ chunk, posInChunk, lengthBytes, inline }: ExtentCommit): number {
  const sound =
    [chunk, posInChunk, lengthBytes].every(Number.isInteger) &&
    chunk >= 0 &&
    posInChunk >= 0 &&
    lengthBytes > 0 &&
    posInChunk + lengthBytes <= CHUNK_BYTES &&
    (inline === undefined || (inline.length === lengthBytes && lengthBytes <= MAX_INLINE_BYTES));
  if (!sound) throw new FsError("EINVAL", "malformed extent in a commit");
  if (chunk >= MAX_FILE_BYTES / CHUNK_BYTES) {
    throw new FsError("EFBIG", `files end at ${MAX_FILE_BYTES} bytes`);
  }
  return chunk * CHUNK_BYTES + posInChunk + lengthBytes;
}

/** The inode maps `bytes` more (or fewer) than before; it is not saved here. */
export function allocate(tx: Transaction, inode: Inode, bytes: number): void {
  inode.allocatedBytes += bytes;
  adjustUsage(tx, 0, bytes);
}

/**
 * Sets the size of a regular file; what lies beyond is gone for good. The inode is not saved here.
 * @throws FsError EINVAL, EFBIG
 */
export function truncateInode(
  tx: Transaction,
  inode: Inode,
  sizeBytes: number,
  ids: NumberSource,
): void {
  if (sizeBytes > MAX_FILE_BYTES) throw new FsError("EFBIG", `files end at ${MAX_FILE_BYTES}`);
  if (!Number.isInteger(sizeBytes) || sizeBytes < 0) {
    throw new FsError("EINVAL", `${sizeBytes} is no file size`);
  }
  const oldSizeBytes = inode.sizeBytes;
  inode.sizeBytes = sizeBytes;
  if (sizeBytes >= oldSizeBytes || inode.allocatedBytes === 0) return;
  const edge = sizeBytes % CHUNK_BYTES;
  const firstDropped = chunkIndex(sizeBytes) + (edge > 0 ? 1 : 0);
  if (edge > 0) {
    const changes = new ChunkChanges(tx, inode.data);
    changes.replace(chunkIndex(sizeBytes), edge, CHUNK_BYTES, undefined);
    changes.save();
    allocate(tx, inode, changes.allocatedBytes);
  }
  const lastDropped = chunkIndex(oldSizeBytes);
  if (dropChunks(tx, inode, firstDropped)) return;
  leaveBehind(tx, inode, { firstDropped, lastDropped }, ids.take(1));
}

/** @returns false when there is more to drop than a transaction may look into */
function dropChunks(tx: Transaction, inode: Inode, firstDropped: number): boolean {
  const range = keyRanges.chunksFrom(inode.data, firstDropped);
  const dropped = [...tx.range({ ...range, limit: MAX_CHUNKS_DROPPED_AT_ONCE + 1 })];
  const extents = dropped.reduce((sum, { value }) => sum + extentCount(value), 0);
  if (dropped.length > MAX_CHUNKS_DROPPED_AT_ONCE || extents > MAX_EXTENTS_DROPPED_AT_ONCE) {
    return false;
  }
  const changes = new ChunkChanges(tx, inode.data);
  for (const { key } of dropped) changes.replace(chunkOfKey(key), 0, CHUNK_BYTES, undefined);
  changes.save();
  allocate(tx, inode, changes.allocatedBytes);
  return true;
}

/**
 * Cuts off more than one transaction may look into: the chunks cut off and those that stay part
 * ways by moving whichever seem fewer to a new number, `other`, and the reaper gets the former.
 * Truncating to nothing, the usual case, moves nothing.
 */
function leaveBehind(
  tx: Transaction,
  inode: Inode,
  { firstDropped, lastDropped }: { firstDropped: number; lastDropped: number },
  other: number,
): void {
  const all = keyRanges.chunks(inode.data);
  const edge = keys.chunk(inode.data, firstDropped);
  if (firstDropped <= lastDropped - firstDropped) {
    const keptBytes = moveChunks(tx, { start: all.start, end: edge }, other);
    allocate(tx, inode, keptBytes - inode.allocatedBytes);
    queueReap(tx, inode.data, undefined);
    inode.data = other;
  } else {
    allocate(tx, inode, -moveChunks(tx, { start: edge, end: all.end }, other));
    queueReap(tx, other, undefined);
  }
}

/** @returns the bytes mapped in what was moved */
function moveChunks(tx: Transaction, range: KeyRange, data: number): number {
  let bytes = 0;
  for (const { key, value } of [...tx.range(range)]) {
    tx.put(keys.chunk(data, chunkOfKey(key)), value);
    tx.delete(key);
    bytes += totalBytes(decodeExtents(value));
  }
  return bytes;
}
