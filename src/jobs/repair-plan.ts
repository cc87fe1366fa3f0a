// Pure decisions of repair: what a block lacks, where it comes from, which copies are too many.
import type { MapNode, Pool } from "../domain/cluster-map.ts";
import type { NodeId, ShardId } from "../domain/ids.ts";
import type { RebuildRequest, ShardSource } from "../protocol/shard/shard-service.ts";
import type { BlockSurvey } from "./group-survey.ts";

export interface RebuildTask {
  target: MapNode;
  request: RebuildRequest;
  /** Distinct slots that stand somewhere: the fewer, the sooner it must be done. */
  survivors: number;
}

export interface BlockPlan {
  rebuilds: RebuildTask[];
  /** Copies on nodes that aren't the slot's home, to delete once every home has its shard. */
  surplus: { node: NodeId; id: ShardId }[];
  /** A home is down or unknown, so the block can't be called whole yet. */
  waiting: boolean;
  /** Fewer than k slots stand on nodes that answer. */
  unreadable: boolean;
}

/** Plans one block. `homes` by slot; `reachable` are the nodes that were surveyed. */
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
  const sources: ShardSource[] = block.holders.flatMap((holders, slot) => {
    const holder = holders.map((id) => reachable.get(id)).find((node) => node !== undefined);
    return holder === undefined ? [] : [{ slot, url: holder.url, node: holder.id }];
  });
  const plan: BlockPlan = {
    rebuilds: [],
    surplus: [],
    waiting: false,
    unreadable: sources.length < pool.k,
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
    const copy = sources.find((source) => source.slot === slot);
    if (copy === undefined && plan.unreadable) return;
    const policy = { k: pool.k, m: pool.m };
    const request = { id: idOf(slot), policy, sources: copy === undefined ? sources : [copy] };
    plan.rebuilds.push({ target: home, request, survivors: sources.length });
  });
  return plan;
}
