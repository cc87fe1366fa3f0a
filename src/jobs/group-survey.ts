// Which shards of a placement group stand on which nodes: the picture every repair decision starts
// from.
import type { MapNode, Pool } from "../domain/cluster-map.ts";
import type { NodeId, ShardId, SliceId } from "../domain/ids.ts";
import type { ShardService } from "../protocol/shard/shard-service.ts";

export type NodeShards = (node: MapNode) => ShardService;

export interface BlockSurvey {
  slice: SliceId;
  index: number;
  /** By slot: who holds that shard. */
  holders: NodeId[][];
}

export interface GroupSurvey {
  blocks: BlockSurvey[];
  /** Nodes that could not be asked. */
  unreachable: NodeId[];
}

/**
 * Lists the group on every node given. Nodes that don't answer are named, not waited for for ever.
 */
export async function surveyGroup(
  pool: Pool,
  pg: number,
  nodes: readonly MapNode[],
  shardsOf: NodeShards,
  signal: AbortSignal,
): Promise<GroupSurvey> {
  const blocks = new Map<string, BlockSurvey>();
  const unreachable: NodeId[] = [];
  await Promise.all(
    nodes.map(async (node) => {
      try {
        for await (const id of listGroup(shardsOf(node), pool, pg, signal)) {
          note(blocks, id, node.id, pool.k + pool.m);
        }
      } catch (error) {
        if (signal.aborted) throw error;
        unreachable.push(node.id);
      }
    }),
  );
  return { blocks: [...blocks.values()], unreachable };
}

async function* listGroup(
  shards: ShardService,
  pool: Pool,
  pg: number,
  signal: AbortSignal,
): AsyncGenerator<ShardId> {
  let cursor: string | undefined;
  do {
    const page = await shards.list(pool.id, pg, cursor, signal);
    for (const info of page.shards) yield info.id;
    cursor = page.next;
  } while (cursor !== undefined);
}

function note(blocks: Map<string, BlockSurvey>, id: ShardId, node: NodeId, slots: number): void {
  if (id.slot >= slots) return;
  const key = `${id.slice}/${id.index}`;
  let block = blocks.get(key);
  if (block === undefined) {
    const holders = Array.from({ length: slots }, (): NodeId[] => []);
    block = { slice: id.slice, index: id.index, holders };
    blocks.set(key, block);
  }
  block.holders[id.slot]?.push(node);
}
