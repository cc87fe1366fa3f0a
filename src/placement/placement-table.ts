// Placement of one pool under one cluster map, worked out group by group when first asked for.
import type { ClusterMap, MapNode, NodeState, Pool } from "../domain/cluster-map.ts";
import type { NodeId } from "../domain/ids.ts";
import { drawOf, slotSeed } from "./draw.ts";
import { fillSlots, leastLoaded, NOBODY } from "./fill-slots.ts";
import type { Contest } from "./fill-slots.ts";
import { hashText } from "./hash.ts";

/** A node for each slot of a group. */
export type SlotNodes = readonly (MapNode | undefined)[];

interface GroupPlacement {
  readonly homes: SlotNodes;
  readonly targets: SlotNodes;
}

export class PlacementTable {
  readonly pool: Pool;
  /** In the order of their ids: the map's own order must not matter. */
  readonly #nodes: readonly MapNode[];
  readonly #hashes: readonly (readonly [number, number])[];
  readonly #zones: readonly number[];
  /** Which nodes keep homes, and which take writes. */
  readonly #homeNodes: ReadonlySet<number>;
  readonly #upNodes: ReadonlySet<number>;
  readonly #groups: (GroupPlacement | undefined)[] = [];

  constructor(map: ClusterMap, pool: Pool) {
    this.pool = pool;
    this.#nodes = map.nodes.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    this.#hashes = this.#nodes.map((node) => hashText(node.id));
    this.#zones = numberZones(this.#nodes);
    this.#homeNodes = nodesInState(this.#nodes, "up", "down");
    this.#upNodes = nodesInState(this.#nodes, "up");
  }

  homes(pg: number): SlotNodes {
    return this.#group(pg).homes;
  }

  targets(pg: number): SlotNodes {
    return this.#group(pg).targets;
  }

  /** See replacementNode. */
  replacement(
    pg: number,
    slot: number,
    excluded: ReadonlySet<NodeId>,
    taken: ReadonlyMap<NodeId, number>,
  ): MapNode | undefined {
    const nodes = this.#nodes;
    const usable = [...this.#upNodes].filter((at) => {
      const node = nodes[at];
      return node !== undefined && !excluded.has(node.id);
    });
    const most = Math.ceil(this.#slotCount / usable.length);
    const onNode = new Int32Array(nodes.length);
    const inZone = new Int32Array(nodes.length);
    nodes.forEach((node, at) => {
      const zone = this.#zones[at] ?? 0;
      onNode[at] = taken.get(node.id) ?? 0;
      inZone[zone] = (inZone[zone] ?? 0) + (onNode[at] ?? 0);
    });
    const open = usable.filter((at) => (onNode[at] ?? 0) < most);
    const seed = slotSeed(this.pool.id, pg, slot);
    let [best, least] = [NOBODY, Number.POSITIVE_INFINITY];
    for (const at of leastLoaded(open, this.#zones, onNode, inZone)) {
      const draw = this.#draw(seed, at);
      if (draw < least) [best, least] = [at, draw];
    }
    return nodes[best];
  }

  get #slotCount(): number {
    return this.pool.k + this.pool.m;
  }

  #group(pg: number): GroupPlacement {
    const known = this.#groups[pg];
    if (known !== undefined) return known;
    const group = this.#place(pg);
    this.#groups[pg] = group;
    return group;
  }

  /**
   * The draw is over every node of the map, whatever its state; slots of nodes that are out or
   * draining are then drawn again among the rest. So a node that goes out moves its own slots only.
   */
  #place(pg: number): GroupPlacement {
    const contest = this.#contest(pg);
    const slots = new Int32Array(this.#slotCount).fill(NOBODY);
    fillSlots(contest, slots, [...this.#nodes.keys()]);
    const homes = refill(contest, slots, this.#homeNodes);
    const targets = refill(contest, homes, this.#upNodes);
    const toNodes = (filled: Int32Array): SlotNodes => Array.from(filled, (at) => this.#nodes[at]);
    return { homes: toNodes(homes), targets: toNodes(targets) };
  }

  #contest(pg: number): Contest {
    const nodeCount = this.#nodes.length;
    const draws = new Float64Array(this.#slotCount * nodeCount);
    for (let slot = 0; slot < this.#slotCount; slot++) {
      const seed = slotSeed(this.pool.id, pg, slot);
      for (let at = 0; at < nodeCount; at++) draws[slot * nodeCount + at] = this.#draw(seed, at);
    }
    return { slotCount: this.#slotCount, zones: this.#zones, draws };
  }

  #draw(seed: number, at: number): number {
    return drawOf(seed, this.#hashes[at] ?? [0, 0], this.#nodes[at]?.weight ?? 1);
  }
}

/** `slots` with those of other than the `usable` nodes drawn again among these. */
function refill(contest: Contest, slots: Int32Array, usable: ReadonlySet<number>): Int32Array {
  const refilled = slots.map((at) => (usable.has(at) ? at : NOBODY));
  fillSlots(contest, refilled, [...usable]);
  return refilled;
}

/** Nodes of one zone get the same number; a node without a zone has one of its own. */
function numberZones(nodes: readonly MapNode[]): number[] {
  const numbers = new Map<string, number>();
  return nodes.map((node, at) => {
    if (node.zone === "") return at;
    const known = numbers.get(node.zone) ?? at;
    numbers.set(node.zone, known);
    return known;
  });
}

function nodesInState(nodes: readonly MapNode[], ...states: NodeState[]): ReadonlySet<number> {
  return new Set([...nodes.keys()].filter((at) => states.includes(nodes[at]?.state ?? "out")));
}
