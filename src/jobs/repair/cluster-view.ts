// The cluster as one step of repair sees it: a map, the nodes that answered, and who holds which
// groups.
import type { ClusterMap, MapNode } from "../../domain/cluster-map.ts";
import type { Epoch, NodeId } from "../../domain/ids.ts";
import { passViolation } from "../../domain/invariant.ts";
import { keyOfGroup, type GroupConcerns, type GroupKey } from "../../meta/cluster/group-ledger.ts";
import type { GroupLook } from "../../meta/cluster/group-registry.ts";
import type { DamageReport } from "../../protocol/meta/meta-service.ts";
import type { NodeCalls } from "../node-calls.ts";

/** The cluster as repair knows it. */
export interface RepairCluster {
  current(): ClusterMap;
  /** The node has registered with this run of the server: it is known to be ours. */
  isRegistered(node: NodeId): boolean;
  readonly groups: RepairGroups;
}

export interface RepairGroups {
  /** Groups not known to be whole under the current map, or of which something is feared. */
  dirty(): GroupKey[];
  concernsOf(group: GroupKey): GroupConcerns;
  /** Number of the newest concern there was. */
  lastConcern(): number;
  reportDamage(reports: readonly DamageReport[]): Promise<void>;
  recordLooks(looks: readonly GroupLook[], epoch: Epoch): Promise<void>;
}

export class ClusterView {
  readonly map: ClusterMap;
  readonly reachable: ReadonlyMap<NodeId, MapNode>;
  /** Every node that may hold shards answered. */
  readonly isComplete: boolean;
  /**
   * Concerns with higher numbers came up when the nodes had been asked, and may be about what they
   * had not got then.
   */
  readonly lastConcern: number;
  readonly #holders: ReadonlyMap<string, readonly MapNode[]>;

  private constructor(
    map: ClusterMap,
    reachable: ReadonlyMap<NodeId, MapNode>,
    holders: ReadonlyMap<string, readonly MapNode[]>,
    lastConcern: number,
  ) {
    this.map = map;
    this.lastConcern = lastConcern;
    this.reachable = reachable;
    this.isComplete = map.nodes.every(({ id, state }) => state === "out" || reachable.has(id));
    this.#holders = holders;
  }

  /** Asks every node that is up or draining which groups it has shards of. */
  static async take(
    cluster: RepairCluster,
    calls: NodeCalls,
    signal: AbortSignal,
  ): Promise<ClusterView> {
    const map = cluster.current();
    const lastConcern = cluster.groups.lastConcern();
    const reachable = new Map<NodeId, MapNode>();
    const holders = new Map<string, MapNode[]>();
    const asked = map.nodes.filter(
      ({ id, state }) => (state === "up" || state === "draining") && cluster.isRegistered(id),
    );
    await Promise.all(
      asked.map(async (node) => {
        try {
          for (const [pool, pg] of await calls.groups(node, signal)) {
            const key = keyOfGroup({ pool, pg });
            const nodes = holders.get(key);
            if (nodes === undefined) holders.set(key, [node]);
            else nodes.push(node);
          }
          reachable.set(node.id, node);
        } catch (error) {
          passViolation(error);
          if (signal.aborted) throw error;
        }
      }),
    );
    return new ClusterView(map, reachable, holders, lastConcern);
  }

  /** Nodes that have shards of the group. */
  holdersOf(group: GroupKey): readonly MapNode[] {
    return this.#holders.get(keyOfGroup(group)) ?? [];
  }
}
