// How many more node losses the data survives, from placement and node states alone.
import type { ClusterMap, Pool } from "../../domain/cluster-map.ts";
import type { NodeId } from "../../domain/ids.ts";
import { homeNodes, writeTargets } from "../../placement/placement.ts";
import type { GroupLedger } from "./group-ledger.ts";
import { isServing } from "./node-states.ts";

type SlotNodes = ReturnType<typeof homeNodes>;

/**
 * Node losses that surely cost no data, whichever nodes they are; -1 when some data may be
 * unreadable now. A group that isn't clean is judged by every map it may have been written under.
 * `older` newest first.
 */
export function survivableLosses(
  current: ClusterMap,
  older: readonly ClusterMap[],
  groups: GroupLedger,
): number {
  const serving = new Set(
    current.nodes.filter((node) => isServing(node.state)).map((node) => node.id),
  );
  let least = Infinity;
  for (const pool of current.pools) {
    for (let pg = 0; pg < pool.pgCount && least >= 0; pg++) {
      const cleanEpoch = groups.cleanEpoch({ pool: pool.id, pg });
      for (const slots of placesSince(current, older, cleanEpoch, pool, pg)) {
        least = Math.min(least, lossesOf(slots, pool, serving));
      }
    }
  }
  return least === Infinity ? -1 : least;
}

function* placesSince(
  current: ClusterMap,
  older: readonly ClusterMap[],
  cleanEpoch: number,
  pool: Pool,
  pg: number,
): Generator<SlotNodes> {
  for (const map of [current, ...older]) {
    const isBase = map.epoch <= cleanEpoch;
    // Under an older map without a single node that is up, nothing was written.
    if (map === current || map.nodes.some((node) => node.state === "up")) {
      yield isBase ? homeNodes(map, pool, pg) : writeTargets(map, pool, pg);
    }
    if (isBase) return;
  }
}

function lossesOf(slots: SlotNodes, pool: Pool, serving: ReadonlySet<NodeId>): number {
  const counts = new Map<NodeId, number>();
  for (const node of slots) {
    if (node !== undefined && serving.has(node.id)) {
      counts.set(node.id, (counts.get(node.id) ?? 0) + 1);
    }
  }
  let left = [...counts.values()].reduce((sum, count) => sum + count, 0);
  if (left < pool.k) return -1;
  let losses = 0;
  for (const count of [...counts.values()].sort((a, b) => b - a)) {
    left -= count;
    if (left < pool.k) break;
    losses += 1;
  }
  return losses;
}
