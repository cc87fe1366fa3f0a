// What the jobs ask the metadata about slices. The metadata server's composition implements it.
import type { NodeId, PoolId, SliceId } from "../domain/ids.ts";

/**
 * live: committed, somebody may read it. pending: issued to a session that may still commit it.
 * dying: dead, but readers may still have its extents. dead: its death is recorded and on disk, and
 * nobody reads it any more. orphan: never committed, as far as is known, and the end of the session
 * that it was issued to is on disk. unknown: no record explains it.
 */
export type SliceState = "live" | "pending" | "dying" | "dead" | "orphan" | "unknown";

/** What whoever removes dead slices' shards asks. */
export interface CopiedSlices {
  /** A kept copy of the metadata may cite dead slices below, in case it has to be gone back to. */
  copiesCiteBelow(): Promise<SliceId>;
}

/** What repair asks. */
export interface SliceStates extends CopiedSlices {
  states(ids: readonly SliceId[]): Promise<SliceState[]>;
  /**
   * False while the store may know less than it once did, since it was restored or has lost its
   * latest changes: then orphans are no garbage.
   */
  mayInfer(): Promise<boolean>;
}

/** A slice whose shards are to go from every node, in the order of deaths. */
export interface Tombstone {
  readonly death: number;
  readonly slice: SliceId;
  readonly pool: PoolId;
  readonly storedBytes: number;
}

/**
 * What gc asks. A node's progress is the number of a death: of those below it has no shards left.
 */
export interface Tombstones extends CopiedSlices {
  /** Deaths below this number are on disk, and readers have forgotten them. */
  due(): Promise<number>;
  progress(nodes: readonly NodeId[]): Promise<ReadonlyMap<NodeId, number>>;
  /** From the death `from` on, below `below`, at most `limit`. */
  tombstones(from: number, below: number, limit: number): Promise<Tombstone[]>;
  advance(node: NodeId, progress: number): Promise<void>;
  /**
   * Forgets tombstones below `below`, which all nodes have confirmed, at most `limit`; what remains
   * known is that those slices are over. Returns how many.
   */
  forget(below: number, limit: number): Promise<number>;
  /** Tombstones that there are, as of the last look. */
  readonly waiting: number;
  /** Deletes what unlinked inodes leave behind, step by step. Returns how many steps were taken. */
  reap(limit: number): Promise<number>;
}

/** A live slice whose bytes lie in blocks on the nodes. */
export interface StripedSlice {
  readonly slice: SliceId;
  readonly pool: PoolId;
  readonly storedBytes: number;
}

/** What the survey of all groups asks, and says. */
export interface SurveyLedger extends Pick<SliceStates, "mayInfer"> {
  /** Looks at `limit` slices from `from` on; `next` is where to go on, undefined at the end. */
  stripedSlices(
    from: SliceId,
    limit: number,
  ): Promise<{ found: StripedSlice[]; next: SliceId | undefined }>;
  /** Ids issued to sessions that have ended: shards without a slice may lie about. */
  abandonedRanges(): Promise<ReadonlySet<SliceId>>;
  /**
   * Every group was looked at, on every node, since `abandoned` was asked for; where it is tidy,
   * nothing lies about of those ranges any more.
   */
  surveyed(found: { abandoned: ReadonlySet<SliceId>; isTidy: boolean }): Promise<void>;
}
