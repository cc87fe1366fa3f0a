// Puts a stream of bytes into blocks of the copies' pool, a bounded number at a time.
import { BLOCK_BYTES, COPY_POOL, MAX_BLOCKS_PER_SLICE } from "../../domain/format.ts";
import { invariant } from "../../domain/invariant.ts";
import type { SliceId } from "../../domain/ids.ts";
import type { BlockRef } from "../../domain/layout.ts";
import type { BlockStore } from "../../stripes/block-store.ts";
import { COPY_BLOCKS_AT_ONCE, COPY_BLOCKS_SYNCED_AT_ONCE } from "../limits.ts";

export class BlockWriter {
  readonly #blocks: Pick<BlockStore, "putBlock" | "syncBlocks">;
  readonly #sliceOf: (part: number) => Promise<SliceId>;
  readonly #signal: AbortSignal;
  readonly #puts = new Set<Promise<void>>();
  #written: BlockRef[] = [];
  #count = 0;
  #slice: SliceId | undefined;
  #block = Buffer.allocUnsafe(BLOCK_BYTES);
  #filled = 0;
  #failure: unknown;
  sizeBytes = 0;

  /** @param sliceOf makes the slice of each part, before its first block is put */
  constructor(
    blocks: Pick<BlockStore, "putBlock" | "syncBlocks">,
    sliceOf: (part: number) => Promise<SliceId>,
    signal: AbortSignal,
  ) {
    this.#blocks = blocks;
    this.#sliceOf = sliceOf;
    this.#signal = signal;
  }

  /** @throws what a put failed with */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const taken = bytes.subarray(at, at + BLOCK_BYTES - this.#filled);
      this.#block.set(taken, this.#filled);
      this.#filled += taken.length;
      at += taken.length;
      if (this.#filled === BLOCK_BYTES) await this.#putBlock();
    }
    this.sizeBytes += bytes.length;
  }

  /** Resolves when all is on the nodes' disks. */
  async finish(): Promise<void> {
    if (this.#filled > 0) await this.#putBlock();
    await this.settle();
    if (this.#failure !== undefined) throw this.#failure as Error;
    await this.#syncWritten();
  }

  /** Resolves when no put is under way. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#puts);
  }

  async #putBlock(): Promise<void> {
    const data = this.#block.subarray(0, this.#filled);
    this.#block = Buffer.allocUnsafe(BLOCK_BYTES);
    this.#filled = 0;
    const index = this.#count % MAX_BLOCKS_PER_SLICE;
    if (index === 0) this.#slice = await this.#sliceOf(this.#count / MAX_BLOCKS_PER_SLICE);
    invariant(this.#slice !== undefined, "a block is of a slice", { count: this.#count });
    this.#count += 1;
    const ref = { pool: COPY_POOL, slice: this.#slice, index, lengthBytes: data.length };
    while (this.#puts.size >= COPY_BLOCKS_AT_ONCE) await Promise.race(this.#puts);
    if (this.#failure !== undefined) throw this.#failure as Error;
    this.#start(ref, data);
    if (this.#written.length >= COPY_BLOCKS_SYNCED_AT_ONCE) await this.#syncWritten();
  }

  #start(ref: BlockRef, data: Buffer): void {
    const put = this.#blocks
      .putBlock(ref, data, this.#signal)
      .then(
        () => void this.#written.push(ref),
        (error: unknown) => (this.#failure ??= error),
      )
      .finally(() => this.#puts.delete(put)) as Promise<void>;
    this.#puts.add(put);
  }

  async #syncWritten(): Promise<void> {
    const written = this.#written;
    this.#written = [];
    await this.#blocks.syncBlocks(written, this.#signal);
  }
}
