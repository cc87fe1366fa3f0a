// Compares what the nodes hold with what the metadata says there is, a placement group at a time:
// which blocks are whole, which lack shards, which can't be read; which shards nothing explains.
import type { ClusterMap, MapNode, Pool } from "../../domain/cluster-map.ts";
import type { NodeId, ShardId } from "../../domain/ids.ts";
import type { BlockRef } from "../../domain/layout.ts";
import type { ShardService } from "../../protocol/shard/shard-service.ts";
import type { ExpectedBlocks } from "./expected-blocks.ts";
import { listShards } from "./list-shards.ts";

/** What became of one expected block. */
export interface BlockFinding {
  readonly ref: BlockRef;
  readonly pg: number;
  /** Slots of which no node that answered has a good shard. */
  readonly missing: readonly number[];
  /** Too few are left: its bytes can't be had from the nodes that answered. */
  readonly isUnreadable: boolean;
}

export interface GroupInventory {
  readonly whole: number;
  /** The blocks that aren't. */
  readonly findings: readonly BlockFinding[];
  /** Shards of blocks that the metadata doesn't know. */
  readonly unexplained: number;
  /** Shards that didn't match their checksums; their nodes have set them aside. */
  readonly spoilt: number;
}

export interface InventoryOptions {
  readonly map: ClusterMap;
  /** Those that answer, whatever the map says of them. */
  readonly nodes: readonly MapNode[];
  readonly shardsOf: (node: MapNode) => ShardService;
  readonly expected: ExpectedBlocks;
  /** Every shard is read on its node, and compared with its checksums. */
  readonly verify: boolean;
  readonly signal: AbortSignal;
}

interface Holder {
  readonly node: MapNode;
  readonly slot: number;
}

export class Inventory {
  readonly #options: InventoryOptions;
  /** Nodes that failed to list a group; what they hold counts as missing. */
  readonly unreachable = new Set<NodeId>();

  constructor(options: InventoryOptions) {
    this.#options = options;
  }

  get groups(): { pool: Pool; pg: number }[] {
    return this.#options.map.pools.flatMap((pool) =>
      Array.from({ length: pool.pgCount }, (_, pg) => ({ pool, pg })),
    );
  }

  async look(pool: Pool, pg: number): Promise<GroupInventory> {
    const held = await this.#list(pool, pg);
    const findings: BlockFinding[] = [];
    let whole = 0;
    let spoilt = 0;
    for (const ref of this.#options.expected.of(pool.id, pg)) {
      const name = blockName(ref);
      const holders = held.get(name) ?? [];
      held.delete(name);
      const good = await this.#goodCopies(pool, pg, ref, holders);
      spoilt += good.spoilt;
      const missing = slotsOf(pool).filter((slot) => !good.slots.has(slot));
      if (missing.length === 0) whole += 1;
      else findings.push({ ref, pg, missing, isUnreadable: good.slots.size < pool.k });
    }
    const unexplained = [...held.values()].reduce((sum, holders) => sum + holders.length, 0);
    return { whole, findings, unexplained, spoilt };
  }

  /** By block, who has which of its shards. */
  async #list(pool: Pool, pg: number): Promise<Map<string, Holder[]>> {
    const { nodes, shardsOf, signal } = this.#options;
    const held = new Map<string, Holder[]>();
    await Promise.all(
      nodes.map(async (node) => {
        try {
          for await (const { id } of listShards(shardsOf(node), pool.id, pg, signal)) {
            const name = blockName(id);
            const holders = held.get(name);
            if (holders === undefined) held.set(name, [{ node, slot: id.slot }]);
            else holders.push({ node, slot: id.slot });
          }
        } catch (error) {
          if (signal.aborted) throw error;
          this.unreachable.add(node.id);
        }
      }),
    );
    return held;
  }

  async #goodCopies(
    pool: Pool,
    pg: number,
    { slice, index }: BlockRef,
    holders: readonly Holder[],
  ): Promise<{ slots: Set<number>; spoilt: number }> {
    const { shardsOf, verify, signal } = this.#options;
    if (!verify) return { slots: new Set(holders.map(({ slot }) => slot)), spoilt: 0 };
    const good = { slots: new Set<number>(), spoilt: 0 };
    await Promise.all(
      holders.map(async ({ node, slot }) => {
        const id = { pool: pool.id, pg, slice, index, slot };
        try {
          const [verdict] = await shardsOf(node).secure([id], "every", signal);
          if (verdict === "secure") good.slots.add(slot);
          else if (verdict === "spoilt") good.spoilt += 1;
        } catch (error) {
          if (signal.aborted) throw error;
          this.unreachable.add(node.id);
        }
      }),
    );
    return good;
  }

  /**
   * Has the nodes take shards that a block lacks out of their trash.
   * @returns what it still lacks, and how many came back
   */
  async bringBack(pool: Pool, finding: BlockFinding): Promise<[BlockFinding, number]> {
    const { nodes, shardsOf, signal } = this.#options;
    const { ref, pg, missing } = finding;
    const { slice, index } = ref;
    const ids = missing.map((slot): ShardId => ({ pool: pool.id, pg, slice, index, slot }));
    const back = new Set<number>();
    await Promise.all(
      nodes.map(async (node) => {
        try {
          const came = await shardsOf(node).unpark(ids, signal);
          ids.forEach(({ slot }, at) => {
            if (came[at] === true) back.add(slot);
          });
        } catch (error) {
          if (signal.aborted) throw error;
          this.unreachable.add(node.id);
        }
      }),
    );
    const left = missing.filter((slot) => !back.has(slot));
    const isUnreadable = pool.k + pool.m - left.length < pool.k;
    return [{ ...finding, missing: left, isUnreadable }, back.size];
  }
}

function blockName({ slice, index }: { slice: number; index: number }): string {
  return `${slice}/${index}`;
}

function slotsOf({ k, m }: Pool): number[] {
  return Array.from({ length: k + m }, (_, slot) => slot);
}
