// What the jobs ask the metadata about slices. The metadata server's composition implements it.
import type { PoolId, SliceId } from "../domain/ids.ts";

/**
 * live: committed, somebody may read it. pending: issued to a session that may still commit it.
 * dead: nobody will ever read it; its shards are garbage.
 */
export type SliceState = "live" | "pending" | "dead";

export interface DeadSlice {
  slice: SliceId;
  pool: PoolId;
  storedBytes: number;
}

export interface SliceLedger {
  states(ids: readonly SliceId[]): Promise<SliceState[]>;
  /** Slices whose last reference went away at least `graceMs` ago. */
  deadSlices(limit: number, graceMs: number): Promise<DeadSlice[]>;
  /** Dead slices that the last look saw. */
  readonly waiting: number;
  forgetSlices(slices: readonly DeadSlice[]): Promise<void>;
  /** Deletes what unlinked inodes leave behind, step by step. Returns how many steps were taken. */
  reap(limit: number): Promise<number>;
  /** Ids issued to sessions that have ended: shards without a slice may lie about. */
  abandonedRanges(): Promise<ReadonlySet<string>>;
  /** Every shard of these ranges that no slice owns is deleted. */
  forgetAbandonedRanges(ranges: ReadonlySet<string>): Promise<void>;
}
