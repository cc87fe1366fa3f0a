// The cluster map: all that placement needs, versioned by epoch.
import { FsError } from "./errno.ts";
import type { Epoch, NodeId, PoolId } from "./ids.ts";
import type { CodingPolicy } from "./layout.ts";

/**
 * up: takes reads and writes. down: heartbeat missed, keeps its place, new writes skip it.
 * out: lost or down for long, its share is rebuilt elsewhere. draining: readable, being emptied.
 */
export type NodeState = "up" | "down" | "out" | "draining";

export interface MapNode {
  readonly id: NodeId;
  /** Base URL, e.g. http://10.0.0.7:7401 */
  readonly url: string;
  /** Share of the data, 1…MAX_NODE_WEIGHT; 100 unless the operator says otherwise. */
  readonly weight: number;
  /** Failure domain; nodes of one zone may fail together. "" means the node is its own zone. */
  readonly zone: string;
  readonly state: NodeState;
}

export interface Pool extends CodingPolicy {
  readonly id: PoolId;
  readonly name: string;
  readonly pgCount: number;
}

export interface ClusterMap {
  readonly epoch: Epoch;
  readonly nodes: readonly MapNode[];
  readonly pools: readonly Pool[];
}

/**
 * The current map and the older ones a reader may need, newest first: every map since the oldest
 * clean epoch of any placement group (bounded; the metadata server thins maps that place alike).
 */
export interface MapHistory {
  readonly current: ClusterMap;
  readonly older: readonly ClusterMap[];
}

/** @throws FsError EIO when the map has no such pool: ids come from stored extents */
export function poolOf(map: ClusterMap, id: PoolId): Pool {
  const pool = map.pools.find((candidate) => candidate.id === id);
  if (pool === undefined) throw new FsError("EIO", `cluster map ${map.epoch} has no pool ${id}`);
  return pool;
}
