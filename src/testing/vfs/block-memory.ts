// BlockStore in memory with fault hooks. It also watches its caller: a block's bytes must not
// change while they are put, nor ever be put anew with other bytes, and a reference must tell the
// right length.
import type { BlockStore } from "../../stripes/block-store.ts";
import { FsError } from "../../domain/errno.ts";
import { invariant } from "../../domain/invariant.ts";
import type { Epoch } from "../../domain/ids.ts";
import type { BlockRef } from "../../domain/layout.ts";

/** Called before an operation is carried out; it may throw, or make it wait. */
export type BlockHook = (ref: BlockRef) => void | Promise<void>;

export class MemoryBlockStore implements BlockStore {
  readonly blocks = new Map<string, Uint8Array>();
  readonly puts: BlockRef[] = [];
  readonly reads: { ref: BlockRef; offsetBytes: number; lengthBytes: number }[] = [];
  /** Of the map by which blocks are placed. */
  epoch = 1 as Epoch;
  readonly synced = new Set<string>();
  /** Puts begun and not yet settled, in bytes, and the most there ever were. */
  putBytesInFlight = 0;
  maxPutBytesInFlight = 0;
  onPut: BlockHook = () => undefined;
  onRead: BlockHook = () => undefined;
  onSync: (refs: readonly BlockRef[]) => void | Promise<void> = () => undefined;

  async putBlock(ref: BlockRef, data: Uint8Array, signal?: AbortSignal): Promise<Epoch> {
    signal?.throwIfAborted();
    invariant(data.length === ref.lengthBytes, "data isn't as long as its reference", { ...ref });
    const bytes = Uint8Array.from(data);
    this.puts.push(ref);
    this.putBytesInFlight += data.length;
    this.maxPutBytesInFlight = Math.max(this.maxPutBytesInFlight, this.putBytesInFlight);
    try {
      await this.onPut(ref);
      if (!same(data, bytes)) throw new RangeError("putBlock: data changed while it was put");
      const stored = this.blocks.get(blockName(ref));
      if (stored !== undefined && !same(stored, bytes)) {
        throw new RangeError(`putBlock: ${blockName(ref)} was put before with other bytes`);
      }
      this.blocks.set(blockName(ref), bytes);
      return this.epoch;
    } finally {
      this.putBytesInFlight -= data.length;
    }
  }

  async readBlock(
    ref: BlockRef,
    offsetBytes: number,
    target: Uint8Array,
    signal?: AbortSignal,
  ): Promise<void> {
    signal?.throwIfAborted();
    this.reads.push({ ref, offsetBytes, lengthBytes: target.length });
    await this.onRead(ref);
    const stored = this.#find(ref);
    if (stored.length !== ref.lengthBytes) throw new RangeError("readBlock: ref's length is wrong");
    if (offsetBytes < 0 || offsetBytes + target.length > stored.length)
      throw new RangeError("readBlock: past the block");
    target.set(stored.subarray(offsetBytes, offsetBytes + target.length));
  }

  async syncBlocks(refs: readonly BlockRef[], signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await this.onSync(refs);
    for (const ref of refs) this.#find(ref);
    for (const ref of refs) this.synced.add(blockName(ref));
  }

  /** As gc leaves it behind. */
  forget(block: Omit<BlockRef, "lengthBytes">): void {
    this.blocks.delete(blockName(block));
    this.synced.delete(blockName(block));
  }

  /** The nodes lose power: what was never synced is gone. */
  cut(): void {
    for (const name of this.blocks.keys()) if (!this.synced.has(name)) this.blocks.delete(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.blocks.clear();
  }

  #find(ref: BlockRef): Uint8Array {
    const stored = this.blocks.get(blockName(ref));
    if (stored === undefined) throw new FsError("EIO", `block ${blockName(ref)} is nowhere`);
    return stored;
  }
}

export function blockName({ pool, slice, index }: Omit<BlockRef, "lengthBytes">): string {
  return `${pool}-${slice}-${index}`;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
