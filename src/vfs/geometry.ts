// The sizes that file data is cut by, and where a byte lies by them. They are parameters so that
// tests can cross many boundaries cheaply.
import { FsError } from "../domain/errno.ts";
import {
  BLOCK_BYTES,
  CELL_BYTES,
  MAX_BLOCKS_PER_SLICE,
  MAX_INLINE_BYTES,
} from "../domain/format.ts";
import type { BlockRef, Extent } from "../domain/layout.ts";

export interface Geometry {
  readonly blockBytes: number;
  readonly blocksPerSlice: number;
  /** A slice up to this long travels in the commit. */
  readonly inlineBytes: number;
  /** Unit of random reads. */
  readonly cellBytes: number;
}

export const DEFAULT_GEOMETRY: Geometry = {
  blockBytes: BLOCK_BYTES,
  blocksPerSlice: MAX_BLOCKS_PER_SLICE,
  inlineBytes: MAX_INLINE_BYTES,
  cellBytes: CELL_BYTES,
};

/**
 * The block that holds byte `position` of the chunk, which lies in `extent`, and where in it.
 * @throws FsError EIO when the stored slice is shorter than the extent claims
 */
export function blockAt(
  { location, slice, offInSlice, posInChunk }: Extent,
  position: number,
  { blockBytes }: Geometry,
): { ref: BlockRef; offsetBytes: number } {
  const inSlice = (location?.baseBytes ?? 0) + offInSlice + position - posInChunk;
  if (location === undefined || inSlice >= location.storedBytes) {
    throw new FsError("EIO", `slice ${slice} is shorter than its extent: corrupt metadata`);
  }
  const index = Math.floor(inSlice / blockBytes);
  const lengthBytes = Math.min(blockBytes, location.storedBytes - index * blockBytes);
  const ref = { pool: location.pool, slice: location.id, index, lengthBytes };
  return { ref, offsetBytes: inSlice - index * blockBytes };
}
