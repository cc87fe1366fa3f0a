// Pure decisions of repair: what a block lacks, where it comes from, which copies are too many.
import type { MapNode, Pool } from "../../domain/cluster-map.ts";
import type { NodeId, ShardId } from "../../domain/ids.ts";
import type { RebuildRequest, ShardSource } from "../../protocol/shard/shard-service.ts";
import { REPAIR_SOURCES_A_SLOT } from "../limits.ts";
import type { BlockSurvey } from "./group-survey.ts";

export interface RebuildTask {
  target: MapNode;
  request: RebuildRequest;
  /** Distinct slots that stand somewhere: the fewer, the sooner it must be done. */
  survivors: number;
}

export interface BlockPlan {
  rebuilds: RebuildTask[];
  /** Copies on nodes that aren't the slot's home, to delete once the home's own is verified. */
  surplus: { node: NodeId; id: ShardId }[];
  /** A home is down or unknown, so the block can't be called whole yet. */
  waiting: boolean;
  /** Fewer than k slots stand on nodes that answer. */
  unreadable: boolean;
}

/**
 * Plans one block. `homes` by slot; `reachable` are the nodes that were surveyed. A rebuild gets
 * every shard that is known of, copies first, since any of them may turn out to be spoilt.
 */
export function planBlock(
  block: BlockSurvey,
  pool: Pool,
  pg: number,
  homes: readonly (MapNode | undefined)[],
  reachable: ReadonlyMap<NodeId, MapNode>,
): BlockPlan {
  const idOf = (slot: number): ShardId => ({
    pool: pool.id,
    pg,
    slice: block.slice,
    index: block.index,
    slot,
  });
  const bySlot = block.holders.map((holders, slot) => sourcesOf(slot, holders, reachable));
  const survivors = bySlot.filter((sources) => sources.length > 0).length;
  const plan: BlockPlan = {
    rebuilds: [],
    surplus: [],
    waiting: false,
    unreadable: survivors < pool.k,
  };
  block.holders.forEach((holders, slot) => {
    const home = homes[slot];
    if (home === undefined || !reachable.has(home.id)) {
      plan.waiting = true;
      return;
    }
    for (const node of holders) {
      if (node !== home.id) plan.surplus.push({ node, id: idOf(slot) });
    }
    if (holders.includes(home.id)) return;
    const copies = bySlot[slot] ?? [];
    if (copies.length === 0 && plan.unreadable) return;
    const others = bySlot.flatMap((sources, other) => (other === slot ? [] : sources));
    const policy = { k: pool.k, m: pool.m };
    const request = { id: idOf(slot), policy, sources: [...copies, ...others] };
    plan.rebuilds.push({ target: home, request, survivors });
  });
  return plan;
}

function sourcesOf(
  slot: number,
  holders: readonly NodeId[],
  reachable: ReadonlyMap<NodeId, MapNode>,
): ShardSource[] {
  return holders
    .map((id) => reachable.get(id))
    .filter((node) => node !== undefined)
    .slice(0, REPAIR_SOURCES_A_SLOT)
    .map(({ id: node, url }) => ({ slot, url, node }));
}
