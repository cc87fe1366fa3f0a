// How far gc has come on all nodes together.
import type { MapNode } from "../domain/cluster-map.ts";
import type { NodeId } from "../domain/ids.ts";

/**
 * No node of the map has shards of deaths below this number; `due` is the most it can be. Nodes
 * that are out may never come back: of the deaths that wait for them alone only the last
 * `maxWaiting` do.
 */
export function confirmedEverywhere(
  nodes: readonly MapNode[],
  progress: ReadonlyMap<NodeId, number>,
  due: number,
  maxWaiting: number,
): number {
  const least = (some: readonly MapNode[]): number =>
    Math.min(due, ...some.map(({ id }) => progress.get(id) ?? 0));
  const staying = nodes.filter(({ state }) => state !== "out");
  // Without a node nobody has said that it has none of their shards.
  if (staying.length === 0) return nodes.length === 0 ? 0 : least(nodes);
  return Math.max(least(nodes), Math.min(least(staying), due - maxWaiting));
}
