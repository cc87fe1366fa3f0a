// Compares what the nodes hold with what the metadata says there is, a placement group at a time:
// which blocks are whole, which lack shards, which can't be read; which shards nothing explains.
import type { ClusterMap, MapNode, Pool } from "../../domain/cluster-map.ts";
import { formatShardId, type NodeId, type ShardId } from "../../domain/ids.ts";
import { passViolation } from "../../domain/invariant.ts";
import type { BlockRef } from "../../domain/layout.ts";
import type { ShardVerdict } from "../../protocol/shard/shard-service.ts";
import { INVENTORY_FAILURES_A_NODE } from "../limits.ts";
import type { NodeCalls } from "../node-calls.ts";
import type { ExpectedBlocks } from "./expected-blocks.ts";

/** What became of one expected block. */
export interface BlockFinding {
  readonly ref: BlockRef;
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
  readonly calls: Pick<NodeCalls, "list" | "secure" | "unpark">;
  readonly expected: ExpectedBlocks;
  /** Every shard is read on its node, and compared with its checksums. */
  readonly verify: boolean;
  readonly signal: AbortSignal;
}

export class Inventory {
  readonly #options: InventoryOptions;
  readonly #failures = new Map<NodeId, number>();

  constructor(options: InventoryOptions) {
    this.#options = options;
  }

  get groups(): { pool: Pool; pg: number }[] {
    return this.#options.map.pools.flatMap((pool) =>
      Array.from({ length: pool.pgCount }, (_, pg) => ({ pool, pg })),
    );
  }

  /** Nodes that failed to answer for a group; what they hold of it counts as missing. */
  get unreachable(): NodeId[] {
    return [...this.#failures.keys()];
  }

  async look(pool: Pool, pg: number): Promise<GroupInventory> {
    const refs = [...this.#options.expected.of(pool.id, pg)];
    const good = new Map(refs.map((ref) => [blockName(ref), new Set<number>()]));
    let unexplained = 0;
    let spoilt = 0;
    await Promise.all(
      this.#options.nodes.map(async (node) => {
        const listed = (await this.#list(node, pool, pg)) ?? [];
        const explained = listed.filter((id) => good.has(blockName(id)));
        unexplained += listed.length - explained.length;
        const verdicts = await this.#verdicts(node, explained);
        explained.forEach((id, at) => {
          if (verdicts[at] === "secure") good.get(blockName(id))?.add(id.slot);
          else if (verdicts[at] === "spoilt") spoilt += 1;
        });
      }),
    );
    const findings: BlockFinding[] = [];
    for (const ref of refs) {
      const slots = good.get(blockName(ref)) ?? new Set();
      const missing = slotsOf(pool).filter((slot) => !slots.has(slot));
      if (missing.length > 0) findings.push(findingOf(pool, ref, missing));
    }
    return { whole: refs.length - findings.length, findings, unexplained, spoilt };
  }

  #list(node: MapNode, pool: Pool, pg: number): Promise<ShardId[] | undefined> {
    const { calls, signal } = this.#options;
    return this.#ask(node, async () => {
      const ids: ShardId[] = [];
      for await (const { id } of calls.list(node, pool.id, pg, signal)) ids.push(id);
      return ids;
    });
  }

  /** Of shards that the node lists. */
  async #verdicts(node: MapNode, ids: readonly ShardId[]): Promise<ShardVerdict[]> {
    const { calls, verify, signal } = this.#options;
    if (!verify) return ids.map(() => "secure");
    if (ids.length === 0) return [];
    return (await this.#ask(node, () => calls.secure(node, ids, true, signal))) ?? [];
  }

  /** Undefined when it fails; a node that goes on failing isn't asked. */
  async #ask<T>({ id }: MapNode, ask: () => Promise<T>): Promise<T | undefined> {
    const failures = this.#failures.get(id) ?? 0;
    if (failures >= INVENTORY_FAILURES_A_NODE) return undefined;
    try {
      return await ask();
    } catch (error) {
      passViolation(error);
      if (this.#options.signal.aborted) throw error;
      this.#failures.set(id, (this.#failures.get(id) ?? 0) + 1);
      return undefined;
    }
  }

  /**
   * Has the nodes take shards that blocks of a group lack out of their trash.
   * @returns what the blocks still lack, and how many shards came back
   */
  async bringBack(
    pool: Pool,
    pg: number,
    findings: readonly BlockFinding[],
  ): Promise<[BlockFinding[], number]> {
    const { nodes, calls, signal } = this.#options;
    const ids = findings.flatMap(({ ref: { slice, index }, missing }) =>
      missing.map((slot): ShardId => ({ pool: pool.id, pg, slice, index, slot })),
    );
    if (ids.length === 0) return [[], 0];
    const back = new Set<string>();
    await Promise.all(
      nodes.map(async (node) => {
        const came = await this.#ask(node, () => calls.unpark(node, ids, signal));
        ids.forEach((id, at) => {
          if (came?.[at] === true) back.add(formatShardId(id));
        });
      }),
    );
    const left = findings.map(({ ref, missing }) => {
      const { slice, index } = ref;
      const lacks = (slot: number): boolean =>
        !back.has(formatShardId({ pool: pool.id, pg, slice, index, slot }));
      return findingOf(pool, ref, missing.filter(lacks));
    });
    return [left, back.size];
  }
}

function findingOf({ k, m }: Pool, ref: BlockRef, missing: readonly number[]): BlockFinding {
  return { ref, missing, isUnreadable: k + m - missing.length < k };
}

function blockName({ slice, index }: { slice: number; index: number }): string {
  return `${slice}/${index}`;
}

function slotsOf({ k, m }: Pool): number[] {
  return Array.from({ length: k + m }, (_, slot) => slot);
}
