// How many more node losses the data survives, from placement, node states and what is feared of
// groups.
import type { ClusterMap, MapHistory, Pool } from "../../domain/cluster-map.ts";
import type { NodeId } from "../../domain/ids.ts";
import { homeNodes, readCandidates, writeTargets } from "../../placement/placement.ts";
import type { GroupConcerns, GroupKey, GroupLedger } from "./group-ledger.ts";
import { isServing } from "./node-states.ts";

type SlotNodes = ReturnType<typeof homeNodes>;

/** The groups of which the node may hold shards, by any map that is kept. */
export function* groupsOf(maps: MapHistory, node: NodeId): Generator<GroupKey> {
  for (const pool of maps.current.pools) {
    for (let pg = 0; pg < pool.pgCount; pg++) {
      const slots = readCandidates(maps, pool, pg);
      if (slots.some((nodes) => nodes.some(({ id }) => id === node))) yield { pool: pool.id, pg };
    }
  }
}

/**
 * Node losses that surely cost no data, whichever nodes they are; -1 when some data may be
 * unreadable now, because of nodes that are away. A group that isn't clean is judged by every map
 * it may have been written under, and one of which something is feared as if that had come true.
 */
export function survivableLosses({ current, older }: MapHistory, groups: GroupLedger): number {
  const serving = new Set(
    current.nodes.filter((node) => isServing(node.state)).map((node) => node.id),
  );
  let least = Infinity;
  for (const pool of current.pools) {
    for (let pg = 0; pg < pool.pgCount && least >= 0; pg++) {
      const cleanEpoch = groups.cleanEpoch({ pool: pool.id, pg });
      const feared = fearedOf(groups.concernsOf({ pool: pool.id, pg }));
      for (const slots of placesSince(current, older, cleanEpoch, pool, pg)) {
        least = Math.min(least, lossesOf(slots, pool, serving));
        for (const isFeared of least > 0 ? feared : []) {
          const sure = slots.map((node, slot) => (isFeared(node?.id, slot) ? undefined : node));
          least = Math.min(least, Math.max(0, lossesOf(sure, pool, serving)));
        }
      }
    }
  }
  return least === Infinity ? -1 : least;
}

type IsFeared = (node: NodeId | undefined, slot: number) => boolean;

/** For each block that was reported, and for the group: which of its shards may not be there. */
function fearedOf({ findings, doubts }: GroupConcerns): IsFeared[] {
  const doubted = new Set(doubts.map(({ node }) => node));
  const isDoubted: IsFeared = (node) => node !== undefined && doubted.has(node);
  const blocks = new Map<string, Set<number>>();
  for (const { shard } of findings.map(({ report }) => report)) {
    const key = `${shard.slice}/${shard.index}`;
    blocks.set(key, (blocks.get(key) ?? new Set()).add(shard.slot));
  }
  const reported = [...blocks.values()].map(
    (slots): IsFeared =>
      (node, slot) =>
        slots.has(slot) || isDoubted(node, slot),
  );
  return doubted.size > 0 ? [isDoubted, ...reported] : reported;
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
