// When a stripe stands well enough to be acknowledged.
//
// 1. At least k + 1 shards stand.
// 2. They survive the loss of any one node: without the node that holds most of them, k remain.
//    With k + 1 or more usable nodes that is "k + 1 on distinct nodes"; with fewer, nodes hold
//    several shards, and the rule is how distinct they must be. Rule 2 is dropped where it cannot
//    be met: when the usable nodes are so few that even an even spread puts more than m shards on
//    one (one node of 4+2 say). A client may not judge that alone for the whole cluster: of the
//    nodes the map calls up it may find at most m unusable; past that it is the client that is cut
//    off, and it must refuse to write.
import type { CodingPolicy } from "../domain/layout.ts";
import type { NodeId } from "../domain/ids.ts";
import type { Standing } from "./shard-whereabouts.ts";

export interface WriteCircumstances {
  readonly policy: CodingPolicy;
  /** Nodes that the cluster map calls up. */
  readonly upNodes: number;
  /** Those of them that this client can write to. */
  readonly usableNodes: number;
}

/** True when `standing` is enough to acknowledge the stripe. */
export function standsWellEnough(standing: Standing, around: WriteCircumstances): boolean {
  const { k } = around.policy;
  const perNode = shardsPerNode(standing);
  const total = [...perNode.values()].reduce((sum, count) => sum + count, 0);
  if (total < k + 1) return false;
  if (!mustSurviveOneNode(around)) return true;
  return total - Math.max(...perNode.values()) >= k;
}

/** False when no spread over the usable nodes could be enough. */
export function canStandWellEnough(around: WriteCircumstances): boolean {
  if (around.usableNodes === 0) return false;
  return !mustSurviveOneNode(around) || survivesOneNode(around.policy, around.usableNodes);
}

function mustSurviveOneNode({ policy, upNodes, usableNodes }: WriteCircumstances): boolean {
  return survivesOneNode(policy, Math.max(usableNodes, upNodes - policy.m));
}

/** Whether a whole stripe spread evenly over so many nodes survives the loss of one. */
function survivesOneNode({ k, m }: CodingPolicy, nodes: number): boolean {
  return nodes > 0 && Math.ceil((k + m) / nodes) <= m;
}

function shardsPerNode(standing: Standing): Map<NodeId, number> {
  const counts = new Map<NodeId, number>();
  for (const node of standing) {
    if (node !== undefined) counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  return counts;
}
