// Block → placement group → nodes: a pure function of names and the cluster map, the same on every
// machine and in every release (fixed vectors in placement.test.ts guard it).
import type { ClusterMap, MapHistory, MapNode, Pool } from "../domain/cluster-map.ts";
import type { NodeId, PoolId, SliceId } from "../domain/ids.ts";
import { hashBlock } from "./hash.ts";
import { PlacementTable } from "./placement-table.ts";
import type { SlotNodes } from "./placement-table.ts";
import { ReadTable } from "./read-table.ts";

/** What was worked out for a map stays while the map does; never more than its own pure results. */
const tablesOfMap = new WeakMap<ClusterMap, Map<PoolId, PlacementTable>>();
const tablesOfHistory = new WeakMap<MapHistory, Map<PoolId, ReadTable>>();

/** The placement group, 0…pgCount-1, of block `index` of a slice. */
export function placementGroupOf(pool: Pool, slice: SliceId, index: number): number {
  return hashBlock(slice, index) % pool.pgCount;
}

/**
 * By slot: the node that should keep it, drawn over nodes that are up or down. Nodes differ while
 * there are enough of them, and zones do; a slot is undefined only when no node is up or down.
 */
export function homeNodes(map: ClusterMap, pool: Pool, pg: number): SlotNodes {
  return tableOf(map, pool).homes(pg);
}

/**
 * By slot: where a writer puts it now, its home where that is up and the slot's next draw among the
 * nodes that are up where it isn't. Undefined only when no node is up.
 */
export function writeTargets(map: ClusterMap, pool: Pool, pg: number): SlotNodes {
  return tableOf(map, pool).targets(pg);
}

/**
 * Where a writer puts a slot when the nodes in `excluded` failed it; `taken` says how many slots of
 * this stripe each node holds. Takes a node that holds none if it can, and otherwise doubles up, at
 * most to ceil(slots / usable nodes). Undefined when no node is left.
 */
export function replacementNode(
  map: ClusterMap,
  pool: Pool,
  pg: number,
  slot: number,
  excluded: ReadonlySet<NodeId>,
  taken: ReadonlyMap<NodeId, number>,
): MapNode | undefined {
  return tableOf(map, pool).replacement(pg, slot, excluded, taken);
}

/**
 * By slot: the nodes to ask for it, best first and each once, as the current map has them: home and
 * write target under the current map, then under the older ones. Nodes that are down come after
 * those that answer, and nodes that are out or no longer in the map come last.
 */
export function readCandidates(
  maps: MapHistory,
  pool: Pool,
  pg: number,
): readonly (readonly MapNode[])[] {
  const ofPools = tablesOfHistory.get(maps) ?? new Map<PoolId, ReadTable>();
  tablesOfHistory.set(maps, ofPools);
  let table = ofPools.get(pool.id);
  if (table === undefined || !isSamePool(table.pool, pool)) {
    const placements = [maps.current, ...maps.older].map((map) => tableOf(map, pool));
    table = new ReadTable(maps.current, pool, placements);
    ofPools.set(pool.id, table);
  }
  return table.candidates(pg);
}

function tableOf(map: ClusterMap, pool: Pool): PlacementTable {
  const ofPools = tablesOfMap.get(map) ?? new Map<PoolId, PlacementTable>();
  tablesOfMap.set(map, ofPools);
  let table = ofPools.get(pool.id);
  if (table === undefined || !isSamePool(table.pool, pool)) {
    table = new PlacementTable(map, pool);
    ofPools.set(pool.id, table);
  }
  return table;
}

/** Pools never change, but tests and tools may make two of one id. */
function isSamePool(a: Pool, b: Pool): boolean {
  return a === b || (a.k === b.k && a.m === b.m);
}
