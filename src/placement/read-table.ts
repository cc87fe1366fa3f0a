// Where readers look for the shards of one pool's groups, under the current map and older ones.
import type { ClusterMap, MapNode, Pool } from "../domain/cluster-map.ts";
import type { NodeId } from "../domain/ids.ts";
import type { PlacementTable } from "./placement-table.ts";

export class ReadTable {
  readonly pool: Pool;
  /** Newest map first. */
  readonly #placements: readonly PlacementTable[];
  readonly #current: ReadonlyMap<NodeId, MapNode>;
  readonly #groups: (readonly (readonly MapNode[])[] | undefined)[] = [];

  constructor(current: ClusterMap, pool: Pool, placements: readonly PlacementTable[]) {
    this.pool = pool;
    this.#placements = placements;
    this.#current = new Map(current.nodes.map((node) => [node.id, node]));
  }

  /** See readCandidates. */
  candidates(pg: number): readonly (readonly MapNode[])[] {
    const known = this.#groups[pg];
    if (known !== undefined) return known;
    const slots = Array.from({ length: this.pool.k + this.pool.m }, (_, slot) =>
      this.#ofSlot(pg, slot),
    );
    this.#groups[pg] = slots;
    return slots;
  }

  #ofSlot(pg: number, slot: number): readonly MapNode[] {
    const found = new Map<NodeId, MapNode>();
    for (const placement of this.#placements) {
      for (const node of [placement.homes(pg)[slot], placement.targets(pg)[slot]]) {
        // The current map knows a node's present address and state.
        if (node !== undefined) found.set(node.id, this.#current.get(node.id) ?? node);
      }
    }
    return [...found.values()].toSorted((a, b) => this.#lateness(a) - this.#lateness(b));
  }

  #lateness(node: MapNode): number {
    if (!this.#current.has(node.id) || node.state === "out") return 2;
    return node.state === "down" ? 1 : 0;
  }
}
