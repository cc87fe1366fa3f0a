// One contiguous run of written bytes that the metadata doesn't know yet. It takes writes at its
// end and over its unsent tail until it is sealed; full blocks leave at once and need no memory
// from then on.
import type { FsError } from "../../domain/errno.ts";
import type { Epoch, PoolId, SliceId } from "../../domain/ids.ts";
import type { BlockRef, Extent } from "../../domain/layout.ts";
import { CHUNK_BYTES } from "../../domain/format.ts";
import { invariant } from "../../domain/invariant.ts";
import type { ExtentCommit } from "../../protocol/meta/meta-service.ts";
import type { BufferPool } from "../buffer-pool.ts";
import type { DirtyBudget } from "./dirty-budget.ts";
import type { Geometry } from "../geometry.ts";
import type { SegmentSink } from "../segments.ts";

/** A run this long gets a buffer for a whole block: it is likely to go on. */
const BLOCK_BUFFER_FROM_BYTES = 128 * 1024;

interface PendingBlock {
  /** Undefined once the block stands on the nodes. */
  buffer: Uint8Array | undefined;
  /** Where it stands from then on. */
  ref: BlockRef | undefined;
  /** Of the map by which it was placed. */
  epoch: Epoch | undefined;
  lengthBytes: number;
  sent: boolean;
  /** A reader was given a view: the buffer is left to the garbage collector. */
  shared: boolean;
}

/** What slices of a mount share. */
export interface SliceResources {
  readonly geometry: Geometry;
  readonly pool: BufferPool;
  readonly budget: DirtyBudget;
}

export class PendingSlice {
  readonly #resources: SliceResources;
  readonly poolId: PoolId;
  /** Write order within the inode. */
  readonly seq: number;
  readonly chunk: number;
  /** Offset in the chunk. */
  readonly start: number;
  readonly bornMs: number;
  id: SliceId | undefined;
  /** The wait for `id`, while no range has one left. */
  identifying: Promise<void> | undefined;
  failure: FsError | undefined;
  /** How often its bytes were put anew because a session was lost. */
  renewals = 0;
  #length = 0;
  #sealed = false;
  #sentBytes = 0;
  #unfinishedPuts = 0;
  readonly #blocks: PendingBlock[] = [];

  constructor(
    resources: SliceResources,
    at: { poolId: PoolId; seq: number; chunk: number; start: number; bornMs: number },
  ) {
    this.#resources = resources;
    this.poolId = at.poolId;
    this.seq = at.seq;
    this.chunk = at.chunk;
    this.start = at.start;
    this.bornMs = at.bornMs;
  }

  get lengthBytes(): number {
    return this.#length;
  }

  /** Offset in the chunk. */
  get end(): number {
    return this.start + this.#length;
  }

  get sealed(): boolean {
    return this.#sealed;
  }

  /** Memory that won't leave until somebody seals the slice. */
  get openBytes(): number {
    return this.#sealed ? 0 : (this.#blocks.at(-1)?.buffer?.length ?? 0);
  }

  get heldBytes(): number {
    let bytes = 0;
    for (const { buffer } of this.#blocks) bytes += buffer?.length ?? 0;
    return bytes;
  }

  /** Sealed, and all that its commit needs is there. */
  get ready(): boolean {
    return (
      this.#sealed &&
      this.#unfinishedPuts === 0 &&
      this.failure === undefined &&
      this.id !== undefined &&
      (this.#sentBytes === this.#length || this.inlineable)
    );
  }

  /** Small enough to travel in the commit. */
  get inlineable(): boolean {
    return this.#sentBytes === 0 && this.#length <= this.#resources.geometry.inlineBytes;
  }

  get full(): boolean {
    return this.#length === this.#maxLength();
  }

  overlaps(from: number, to: number): boolean {
    return from < this.end && to > this.start;
  }

  /** How many of `length` bytes at `position` of the chunk this slice can take; 0 if none. */
  room(position: number, length: number): number {
    if (this.#sealed || this.failure !== undefined) return 0;
    if (position < this.start + this.#sentBytes || position > this.end) return 0;
    return Math.max(0, Math.min(length, this.start + this.#maxLength() - position));
  }

  /**
   * Copies data[from, from + count) to `position`; the caller asked `room`. Calls `onFull` with
   * the index of each block that has become full.
   */
  write(
    position: number,
    data: Uint8Array,
    from: number,
    count: number,
    onFull: (index: number) => void,
  ): void {
    const { blockBytes } = this.#resources.geometry;
    let offset = position - this.start;
    let source = from;
    const to = from + count;
    while (source < to) {
      const index = Math.floor(offset / blockBytes);
      const inBlock = offset - index * blockBytes;
      const step = Math.min(blockBytes - inBlock, to - source);
      const block = this.#writable(index, inBlock + step);
      const whole = source === 0 && step === data.length;
      block.buffer?.set(whole ? data : data.subarray(source, source + step), inBlock);
      block.lengthBytes = Math.max(block.lengthBytes, inBlock + step);
      offset += step;
      source += step;
      this.#length = Math.max(this.#length, offset);
      if (block.lengthBytes === blockBytes) onFull(index);
    }
  }

  /** Ends the taking of writes. Returns the index of the block that is left to send, if any. */
  seal(): number | undefined {
    this.#sealed = true;
    if (this.#sentBytes === this.#length || this.inlineable) return undefined;
    return this.#blocks.length - 1;
  }

  /** The bytes to put; the block takes no more writes. */
  beginPut(index: number): Uint8Array {
    const block = this.#blockAt(index);
    invariant(block.buffer !== undefined && !block.sent, "a block is put once", { index });
    block.sent = true;
    this.#sentBytes += block.lengthBytes;
    this.#unfinishedPuts += 1;
    return block.buffer.subarray(0, block.lengthBytes);
  }

  /** The block stands: its memory is free. */
  finishPut(index: number, ref: BlockRef, epoch: Epoch): void {
    this.#unfinishedPuts -= 1;
    if (this.failure !== undefined) return;
    const block = this.#blockAt(index);
    block.ref = ref;
    block.epoch = epoch;
    if (block.buffer !== undefined) this.#letGo(block.buffer, !block.shared);
    block.buffer = undefined;
  }

  failPut(error: FsError): void {
    this.#unfinishedPuts -= 1;
    this.failure ??= error;
  }

  /** The id is void; a ready slice isn't any more until `finishRenewal`. */
  beginRenewal(): void {
    this.renewals += 1;
    this.id = undefined;
    this.identifying = undefined;
    this.#unfinishedPuts += 1;
  }

  /** Where the blocks of a ready slice stand; none when it goes into the commit. */
  putBlocks(): BlockRef[] {
    return this.#blocks.flatMap(({ ref }) => (ref === undefined ? [] : [ref]));
  }

  movedBlock(index: number, ref: BlockRef, epoch: Epoch): void {
    Object.assign(this.#blockAt(index), { ref, epoch });
  }

  finishRenewal(): void {
    this.#unfinishedPuts -= 1;
  }

  refOf(index: number): BlockRef {
    invariant(this.id !== undefined, "a slice has no blocks before it has an id", { index });
    const { lengthBytes } = this.#blockAt(index);
    return { pool: this.poolId, slice: this.id, index, lengthBytes };
  }

  /** What the commit says of a slice that is ready. */
  toCommit(): ExtentCommit {
    const { id, chunk, start, poolId } = this;
    invariant(id !== undefined, "a slice is committed by its id", { seq: this.seq });
    const lengthBytes = this.#length;
    const commit: ExtentCommit = {
      chunk,
      posInChunk: start,
      lengthBytes,
      slice: id,
      pool: poolId,
    };
    const inline = this.#inlineBytes();
    if (inline !== undefined) {
      commit.inline = inline;
      return commit;
    }
    const epochs = this.#blocks.flatMap(({ epoch }) => epoch ?? []);
    if (epochs.length > 0) commit.epoch = Math.min(...epochs) as Epoch;
    return commit;
  }

  /** The same as a reader sees it after the commit. */
  toExtent(): Extent {
    const { id, start, poolId } = this;
    invariant(id !== undefined, "a slice is committed by its id", { seq: this.seq });
    const lengthBytes = this.#length;
    const inline = this.#inlineBytes();
    if (inline !== undefined) {
      return { posInChunk: start, lengthBytes, offInSlice: 0, slice: id, inline };
    }
    const location = { id, pool: poolId, storedBytes: lengthBytes, baseBytes: 0 };
    return { posInChunk: start, lengthBytes, offInSlice: 0, slice: id, location };
  }

  /** Gives back the memory that is still held: after the commit, or when the data is given up. */
  drop(): void {
    for (const block of this.#blocks) {
      // Inline bytes live on in the extent cache, and a failed put may still read its block.
      if (block.buffer !== undefined) this.#letGo(block.buffer, false);
      block.buffer = undefined;
    }
  }

  /** Tells `sink` the bytes [from, to) of the chunk, all within the slice. */
  emit(from: number, to: number, sink: SegmentSink): void {
    const { blockBytes } = this.#resources.geometry;
    let offset = from - this.start;
    const end = to - this.start;
    while (offset < end) {
      const index = Math.floor(offset / blockBytes);
      const inBlock = offset - index * blockBytes;
      const step = Math.min(blockBytes - inBlock, end - offset);
      const block = this.#blockAt(index);
      if (block.buffer !== undefined) {
        block.shared = true;
        sink.bytes(block.buffer.subarray(inBlock, inBlock + step));
      } else {
        invariant(block.ref !== undefined, "a block of a pending slice is nowhere", { index });
        sink.block(block.ref, inBlock, step, this.#length);
      }
      offset += step;
    }
  }

  #maxLength(): number {
    const { blockBytes, blocksPerSlice } = this.#resources.geometry;
    return Math.min(blockBytes * blocksPerSlice, CHUNK_BYTES - this.start);
  }

  #inlineBytes(): Uint8Array | undefined {
    return this.inlineable ? this.#blockAt(0).buffer?.subarray(0, this.#length) : undefined;
  }

  #blockAt(index: number): PendingBlock {
    const block = this.#blocks[index];
    invariant(block !== undefined, "a slice has no such block", { slice: this.id, index });
    return block;
  }

  /** The block with a buffer of at least `neededBytes`; made or grown when it hasn't. */
  #writable(index: number, neededBytes: number): PendingBlock {
    const existing = this.#blocks[index];
    if (existing === undefined) {
      const wanted = index > 0 ? this.#resources.geometry.blockBytes : neededBytes;
      const block = {
        buffer: this.#takeBuffer(wanted),
        ref: undefined,
        epoch: undefined,
        lengthBytes: 0,
        sent: false,
        shared: false,
      };
      this.#blocks.push(block);
      return block;
    }
    const { buffer } = existing;
    if (buffer !== undefined && !existing.sent && buffer.length < neededBytes) {
      // Copies what a short run had so far, at most BLOCK_BUFFER_FROM_BYTES once a slice.
      const larger = this.#takeBuffer(neededBytes);
      larger.set(buffer.subarray(0, existing.lengthBytes));
      const reusable = !existing.shared;
      existing.buffer = larger;
      existing.shared = false;
      this.#letGo(buffer, reusable);
    }
    return existing;
  }

  #takeBuffer(neededBytes: number): Uint8Array {
    const { pool, budget, geometry } = this.#resources;
    const large = neededBytes >= BLOCK_BUFFER_FROM_BYTES;
    const buffer = pool.acquire(large ? Math.max(geometry.blockBytes, neededBytes) : neededBytes);
    budget.take(buffer.length);
    return buffer;
  }

  #letGo(buffer: Uint8Array, reusable: boolean): void {
    if (reusable) this.#resources.pool.recycle(buffer);
    this.#resources.budget.give(buffer.length);
  }
}
