// Contract between file data (vfs, jobs) and stripes: whole blocks in, any byte range out.
import type { Epoch } from "../domain/ids.ts";
import type { BlockRef } from "../domain/layout.ts";

export interface BlockStore extends AsyncDisposable {
  /**
   * Codes the block and places its shards; resolves when enough of them stand (see DESIGN write
   * path), to the epoch of the map by which they were placed. `data` has ref.lengthBytes bytes and
   * must not change until then.
   * @throws FsError ENOSPC (nodes full), EIO (too few nodes answer)
   */
  putBlock(ref: BlockRef, data: Uint8Array, signal?: AbortSignal): Promise<Epoch>;
  /**
   * Reads [offsetBytes, offsetBytes + target.length) of the block into `target`, verified cell by
   * cell, decoding when shards are missing. A whole-block read goes straight into `target`.
   * @throws FsError EIO when fewer than k shards can be had; never wrong bytes
   */
  readBlock(
    ref: BlockRef,
    offsetBytes: number,
    target: Uint8Array,
    signal?: AbortSignal,
  ): Promise<void>;
  /** Makes the blocks' shards durable on their nodes (fsync). */
  syncBlocks(refs: readonly BlockRef[], signal?: AbortSignal): Promise<void>;
}
