// Puts bytes that were gathered into a slice of their own, on disk before anything cites it.
import type { BlockStore } from "../stripes/block-store.ts";
import type { PoolId } from "../domain/ids.ts";
import { MAX_INLINE_BYTES } from "../domain/format.ts";
import type { DataLedger, NewSlice } from "./data-ledger.ts";

export class SliceWriter {
  readonly #ledger: DataLedger;
  readonly #blocks: Pick<BlockStore, "putBlock" | "syncBlocks">;

  constructor(ledger: DataLedger, blocks: Pick<BlockStore, "putBlock" | "syncBlocks">) {
    this.#ledger = ledger;
    this.#blocks = blocks;
  }

  /**
   * Stores at most a block, in the metadata where it is so little and `mayBeInline`, and hands it
   * to `commit`. What can't be committed is left to gc. @throws FsError of putBlock, syncBlocks,
   * commit
   */
  async store(
    pool: PoolId,
    bytes: Uint8Array,
    mayBeInline: boolean,
    commit: (stored: NewSlice) => Promise<number>,
    signal: AbortSignal,
  ): Promise<number> {
    const slice = await this.#ledger.takeSliceId();
    const stored = { slice, pool, storedBytes: bytes.length };
    if (mayBeInline && bytes.length <= MAX_INLINE_BYTES) {
      return await commit({ ...stored, inline: bytes });
    }
    const ref = { pool, slice, index: 0, lengthBytes: bytes.length };
    try {
      await this.#blocks.putBlock(ref, bytes, signal);
      await this.#blocks.syncBlocks([ref], signal);
      return await commit(stored);
    } catch (error) {
      await this.#ledger.abandon(stored);
      throw error;
    }
  }
}
