// What the jobs that move bytes ask of the metadata: where data is fragmented or inline, slice ids,
// and commits that change only what still is as it was read. The metadata server's composition
// implements it.
import type { PoolId, SliceId } from "../domain/ids.ts";
import type {
  ChunkId,
  ExtentRun,
  NewSlice,
  Page,
  SmallSlice,
} from "../meta/namespace/rewriting.ts";
import type { StoredExtent } from "../meta/schema/extents.ts";

export type { ChunkId, ExtentRun, NewSlice, Page, SmallSlice, StoredExtent };

/** Chooses among the extents of a chunk; none: nothing is worth it. */
export type PickExtents = (extents: readonly StoredExtent[]) => readonly StoredExtent[];

export interface DataLedger {
  /**
   * A page of the walk over all chunks, from `from` or the first: those in which `pick` picks
   * something.
   */
  fragmentedChunks(from: ChunkId | undefined, pick: PickExtents): Promise<Page<ChunkId, ChunkId>>;
  /** The metadata store takes what isn't meant to shrink it. */
  hasRoom(): boolean;
  /**
   * Undefined where there is nothing to gain, or nothing that the chunk doesn't share with others.
   */
  readRun(chunk: ChunkId, pick: PickExtents): Promise<ExtentRun | undefined>;
  /** Bytes that `stored` now stands for; 0: too much has changed, and `stored` is left to gc. */
  replaceRun(run: ExtentRun, stored: NewSlice): Promise<number>;

  /**
   * A page of the walk over all slices: inline and packed ones, with up to `maxBytes` of inline
   * bytes.
   */
  smallSlices(from: SliceId | undefined, maxBytes: number): Promise<Page<SmallSlice, SliceId>>;
  /** How many members now are in `stored`; with none it is left to gc. */
  pack(members: readonly SmallSlice[], stored: NewSlice): Promise<number>;

  /** Every slice made later has this id or a higher one, or one of a range that somebody holds. */
  issuedBelow(): Promise<SliceId>;
  takeSliceId(): Promise<SliceId>;
  /** Of a slice that was not committed: what the nodes have of it is garbage. */
  abandon(stored: { slice: SliceId; pool: PoolId; storedBytes: number }): Promise<void>;
}
