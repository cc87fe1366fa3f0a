// Which older cluster maps are still needed, so that readers find shards written under them.
import type { ClusterMap } from "../../domain/cluster-map.ts";
import type { Epoch } from "../../domain/ids.ts";

/** Two maps with the same signature place everything alike; addresses don't matter. */
export function placementSignature(map: ClusterMap): string {
  const nodes = map.nodes.map((node) => [node.id, node.weight, node.zone, node.state] as const);
  return JSON.stringify(nodes.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** From there on each map is kept, or a newer one that places alike. `before`: until now. */
export function completeSince(
  before: Epoch,
  current: ClusterMap,
  older: readonly ClusterMap[],
  kept: readonly ClusterMap[],
): Epoch {
  if (kept.length === older.length) return before;
  const signatures = new Set([current, ...kept].map(placementSignature));
  const lost = older.filter((map) => !signatures.has(placementSignature(map)));
  return Math.max(before, ...lost.map(({ epoch }) => epoch + 1)) as Epoch;
}

/**
 * The maps to keep beside the current one, newest first, at most `limit`: those since the oldest
 * clean epoch and those that `isRecent`, and of maps that place alike only the newest. When there
 * are too many the oldest stays, because that is where data lies that nobody has touched since.
 */
export function neededMaps(
  current: ClusterMap,
  older: readonly ClusterMap[],
  oldestCleanEpoch: number,
  isRecent: (map: ClusterMap) => boolean,
  limit: number,
): ClusterMap[] {
  const newestFirst = older.toSorted((a, b) => b.epoch - a.epoch);
  // The map in force at the clean epoch may itself have been thinned away for an older one.
  const inForce = newestFirst.find((map) => map.epoch <= oldestCleanEpoch)?.epoch ?? 0;
  const oldestNeeded = oldestCleanEpoch >= current.epoch ? current.epoch : inForce;
  const seen = new Set([placementSignature(current)]);
  const needed: ClusterMap[] = [];
  for (const map of newestFirst) {
    if (map.epoch < oldestNeeded && !isRecent(map)) continue;
    const signature = placementSignature(map);
    if (seen.has(signature)) continue;
    seen.add(signature);
    needed.push(map);
  }
  const oldest = needed.at(-1);
  if (needed.length <= limit || oldest === undefined) return needed;
  return [...needed.slice(0, limit - 1), oldest];
}
