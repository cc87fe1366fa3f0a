// The sizes that file data is cut by. They are parameters so that tests can cross many boundaries
// cheaply.
import {
  BLOCK_BYTES,
  CELL_BYTES,
  MAX_BLOCKS_PER_SLICE,
  MAX_INLINE_BYTES,
} from "../domain/format.ts";

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
