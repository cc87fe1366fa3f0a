// Looks past everything that the product believes: whether each live block stands on its homes,
// byte by byte as it was written.
import { EngineSliceLedger } from "../../app/engine-slice-ledger.ts";
import type { MetadataParts } from "../../app/metadata-parts.ts";
import { CellSeal } from "../../codec/cell-seal.ts";
import { poolOf } from "../../domain/cluster-map.ts";
import { isFsError } from "../../domain/errno.ts";
import { formatShardId, type NodeId, type ShardId } from "../../domain/ids.ts";
import { homeNodes } from "../../placement/placement.ts";
import type { ShardInfo, ShardService } from "../../protocol/shard/shard-service.ts";
import type { SliceState } from "../../jobs/slice-ledger.ts";
import type { ShardWatch } from "./shard-watch.ts";

export interface OracleNode {
  readonly store: ShardService;
  /** Its disk spoils what it has: only what was complained of is looked at. */
  readonly isBad: boolean;
}

export interface OracleWorld {
  readonly parts: MetadataParts;
  readonly nodes: ReadonlyMap<NodeId, OracleNode>;
  readonly watch: ShardWatch;
  readonly clusterId: string;
}

/** One block of which a node has some shard. */
type Block = Omit<ShardId, "slot">;

export class ContentOracle {
  readonly #world: OracleWorld;
  readonly #seal: CellSeal;

  constructor(world: OracleWorld) {
    this.#world = world;
    this.#seal = new CellSeal(world.clusterId);
  }

  /** What is wrong with the first block that isn't whole. */
  async firstWrong(): Promise<string | undefined> {
    for (const block of await this.#blocks(["live"])) {
      const wrong = await this.#wrongWith(block);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }

  /** How many blocks nobody needs any more. */
  async garbage(): Promise<number> {
    return (await this.#blocks(["dying", "dead", "orphan"])).length;
  }

  async #blocks(wanted: readonly SliceState[]): Promise<Block[]> {
    const { nodes, parts } = this.#world;
    const blocks = new Map<string, Block>();
    for (const { store } of nodes.values()) {
      for (const { id } of await listAll(store)) {
        blocks.set(`${id.slice}/${id.index}`, id);
      }
    }
    const ledger = new EngineSliceLedger(parts.engine, parts.clock, 0);
    const found = [...blocks.values()];
    const states = await ledger.states(found.map(({ slice }) => slice));
    return found.filter((_, at) => wanted.some((state) => state === states[at]));
  }

  async #wrongWith({ pool, pg, slice, index }: Block): Promise<string | undefined> {
    const { parts, nodes, watch } = this.#world;
    const map = parts.cluster.current();
    const homes = homeNodes(map, poolOf(map, pool), pg);
    for (const [slot, home] of homes.entries()) {
      if (home === undefined) continue;
      const id = { pool, pg, slice, index, slot };
      const node = nodes.get(home.id);
      if (node === undefined) return `${home.id}, home of ${formatShardId(id)}, isn't there`;
      if (node.isBad && !watch.isReported(home.id, id)) continue;
      const wrong = await this.#wrongAt(node.store, id);
      if (wrong !== undefined) return `shard ${formatShardId(id)} at ${home.id}: ${wrong}`;
    }
    return undefined;
  }

  async #wrongAt(store: ShardService, id: ShardId): Promise<string | undefined> {
    try {
      const { sizeBytes } = await store.head(id);
      const { bytes, cellCrcs } = await store.get(id, 0, new Uint8Array(sizeBytes));
      if (bytes.length !== sizeBytes) return `${bytes.length} bytes of ${sizeBytes}`;
      if (this.#seal.corruptCells(id, bytes, cellCrcs).length > 0) return "spoilt cells";
      return this.#world.watch.isRight(id, bytes) ? undefined : "other bytes than were written";
    } catch (error) {
      if (!isFsError(error)) throw error;
      return `${error.code} ${error.message}`;
    }
  }
}

async function listAll(store: ShardService): Promise<ShardInfo[]> {
  const all: ShardInfo[] = [];
  for (const [pool, pg] of await store.groups()) {
    let cursor: string | undefined;
    do {
      const { shards, next }: Awaited<ReturnType<ShardService["list"]>> = await store.list(
        pool,
        pg,
        cursor,
      );
      all.push(...shards);
      cursor = next;
    } while (cursor !== undefined);
  }
  return all;
}
