// Which shards of a placement group stand on which nodes: the picture every repair decision starts
// from.
import type { MapNode, Pool } from "../../domain/cluster-map.ts";
import type { NodeId, ShardId, SliceId } from "../../domain/ids.ts";
import { passViolation } from "../../domain/invariant.ts";
import type { NodeCalls } from "../node-calls.ts";

export interface BlockSurvey {
  slice: SliceId;
  index: number;
  /** By slot: who holds that shard. */
  holders: NodeId[][];
}

export class GroupSurvey {
  /** Nodes that could not be asked. */
  readonly unreachable: NodeId[] = [];
  readonly #pool: Pool;
  readonly #pg: number;
  readonly #blocks = new Map<string, BlockSurvey>();

  constructor(pool: Pool, pg: number) {
    this.#pool = pool;
    this.#pg = pg;
  }

  get blocks(): readonly BlockSurvey[] {
    return [...this.#blocks.values()];
  }

  /** Lists the group on the nodes. One that doesn't answer is named, and waited for no longer. */
  async list(nodes: readonly MapNode[], calls: NodeCalls, signal: AbortSignal): Promise<void> {
    await Promise.all(
      nodes.map(async (node) => {
        try {
          for await (const { id } of calls.list(node, this.#pool.id, this.#pg, signal)) {
            if (id.slot < this.#slots) this.block(id).holders[id.slot]?.push(node.id);
          }
        } catch (error) {
          passViolation(error);
          if (signal.aborted) throw error;
          this.unreachable.push(node.id);
        }
      }),
    );
  }

  /** The block of a shard, which nobody may hold. */
  block({ slice, index }: Pick<ShardId, "slice" | "index">): BlockSurvey {
    const key = `${slice}/${index}`;
    let block = this.#blocks.get(key);
    if (block === undefined) {
      const holders = Array.from({ length: this.#slots }, (): NodeId[] => []);
      block = { slice, index, holders };
      this.#blocks.set(key, block);
    }
    return block;
  }

  shardId({ slice, index }: BlockSurvey, slot: number): ShardId {
    return { pool: this.#pool.id, pg: this.#pg, slice, index, slot };
  }

  get #slots(): number {
    return this.#pool.k + this.#pool.m;
  }
}
