// When a silent node changes its state. Pure decisions; time and epochs are ClusterRegistry's.
import type { MapNode, NodeState } from "../../domain/cluster-map.ts";
import type { NodeId } from "../../domain/ids.ts";

export interface NodeTimings {
  /** Silence after which a node is down. */
  readonly nodeDownAfterMs: number;
  /** Silence after which a node that is down is out, and its share is rebuilt elsewhere. */
  readonly nodeOutAfterMs: number;
}

/**
 * The nodes as they should be after the given silences. Nobody is declared out unless more than
 * half of the nodes that hold data are up: otherwise the fault is more likely the network's, and
 * moving everything to a few survivors would make it worse.
 */
export function ageNodes(
  nodes: readonly MapNode[],
  silentMs: (id: NodeId) => number,
  timings: NodeTimings,
): readonly MapNode[] {
  const aged = nodes.map((node) =>
    isServing(node.state) && silentMs(node.id) >= timings.nodeDownAfterMs
      ? { ...node, state: "down" as const }
      : node,
  );
  const holding = aged.filter((node) => node.state !== "out");
  const serving = holding.filter((node) => isServing(node.state));
  if (serving.length * 2 <= holding.length) return aged;
  return aged.map((node) =>
    node.state === "down" && silentMs(node.id) >= timings.nodeOutAfterMs
      ? { ...node, state: "out" as const }
      : node,
  );
}

/** What a node is after it was heard of. */
export function stateAfterSign(state: NodeState): NodeState {
  return state === "draining" ? "draining" : "up";
}

/** Its shards can be read now. */
export function isServing(state: NodeState): boolean {
  return state === "up" || state === "draining";
}
