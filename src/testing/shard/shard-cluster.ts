// A cluster of storage nodes in memory with a cluster map and a clock, for tests of what is above
// them.
import { StripeBlockStore, type BlockStoreOptions } from "../../stripes/stripe-block-store.ts";
import type { ClusterMap, MapHistory, MapNode, Pool } from "../../domain/cluster-map.ts";
import {
  DEFAULT_POOL,
  parseShardId,
  type Epoch,
  type NodeId,
  type ShardId,
  type SliceId,
} from "../../domain/ids.ts";
import type { BlockRef, CodingPolicy } from "../../domain/layout.ts";
import { silentLog } from "../../observability/log.ts";
import { homeNodes, placementGroupOf } from "../../placement/placement.ts";
import type { DamageReport } from "../../protocol/meta/meta-service.ts";
import { FakeClock } from "../fake-clock.ts";
import { present } from "../present.ts";
import { TEST_CLUSTER } from "./test-name.ts";
import { CountedCoding } from "./counted-coding.ts";
import { FaultyShardService, type ShardMethod } from "./shard-faults.ts";
import { MemoryShardService, type MemoryShardOptions } from "./shard-memory.ts";

/**
 * The clock of a waiting test moves so far at a time, when nothing else has happened for so long.
 */
const STEP_MS = 10;
const TURNS_A_STEP = 5;

export class ClusterNode extends FaultyShardService {
  readonly id: NodeId;
  readonly memory: MemoryShardService;
  /** How often a client of it was closed. */
  closed = 0;

  constructor(id: NodeId, memory: MemoryShardService) {
    super(memory);
    this.id = id;
    this.memory = memory;
  }

  /** Refuses connections, as a node does whose process is dead. */
  kill(): void {
    this.fail("*", "ECONNREFUSED");
  }

  async close(): Promise<void> {
    this.closed++;
  }

  /** The block's shards that it has. */
  shardsOf({ slice, index }: Pick<BlockRef, "slice" | "index">): ShardId[] {
    return this.memory.ids
      .map((text) => present(parseShardId(text)))
      .filter((id) => id.slice === slice && id.index === index);
  }

  callsOf(method: ShardMethod): number {
    return this.calls.filter((call) => call.method === method).length;
  }
}

export interface ShardClusterOptions {
  nodes?: number;
  policy?: CodingPolicy;
  memory?: MemoryShardOptions;
}

export class ShardCluster {
  readonly clock = new FakeClock();
  /** Of all its stores. */
  readonly coding = new CountedCoding();
  readonly reports: DamageReport[] = [];
  readonly nodes: ClusterNode[] = [];
  readonly pool: Pool;
  maps: MapHistory;
  #nextSlice = 1;

  constructor(options: ShardClusterOptions = {}) {
    const policy = options.policy ?? { k: 4, m: 2 };
    this.pool = { ...policy, id: DEFAULT_POOL, name: "default", pgCount: 64 };
    this.maps = { current: { epoch: 1 as Epoch, nodes: [], pools: [this.pool] }, older: [] };
    const count = options.nodes ?? 6;
    for (let at = 0; at < count; at++) this.#makeNode(options.memory);
    this.maps = { current: { ...this.maps.current, nodes: this.#mapNodes() }, older: [] };
  }

  store(options: Partial<BlockStoreOptions> = {}): StripeBlockStore {
    return new StripeBlockStore({
      maps: () => this.maps,
      connect: (node) => this.node(node.id),
      reportDamage: (reports) => this.reports.push(...reports),
      coding: this.coding,
      cluster: TEST_CLUSTER,
      clock: this.clock,
      log: silentLog,
      ...options,
    });
  }

  node(id: NodeId): ClusterNode {
    const node = this.nodes.find((candidate) => candidate.id === id);
    if (node === undefined) throw new RangeError(`no node ${id}`);
    return node;
  }

  /** Calls of all nodes together. */
  callsOf(method: ShardMethod): number {
    return this.nodes.reduce((sum, node) => sum + node.callsOf(method), 0);
  }

  /** Adds an empty node in a new epoch; the map before it stays in the history. */
  join(): ClusterNode {
    const node = this.#makeNode();
    this.change([...this.maps.current.nodes, mapNode(node.id)]);
    return node;
  }

  /** A new epoch in which the node has another state. */
  setState(id: NodeId, state: MapNode["state"]): void {
    this.change(
      this.maps.current.nodes.map((node) => (node.id === id ? { ...node, state } : node)),
    );
  }

  change(nodes: readonly MapNode[]): void {
    const { current, older } = this.maps;
    const next: ClusterMap = { ...current, epoch: (current.epoch + 1) as Epoch, nodes };
    this.maps = { current: next, older: [current, ...older] };
  }

  /** A block that nobody has written yet. */
  newBlock(lengthBytes: number): BlockRef {
    const slice = this.#nextSlice++ as SliceId;
    return { pool: this.pool.id, slice, index: 0, lengthBytes };
  }

  /** By slot, the nodes the block's shards belong to. */
  homesOf(ref: BlockRef): ClusterNode[] {
    const pg = placementGroupOf(this.pool, ref.slice, ref.index);
    return homeNodes(this.maps.current, this.pool, pg).map((node) => {
      if (node === undefined) throw new RangeError("no node is up");
      return this.node(node.id);
    });
  }

  /** Lets time pass until `work` settles; resolves to its outcome and the milliseconds it took. */
  async settle(work: Promise<unknown>): Promise<{ error: unknown; tookMs: number }> {
    const startMs = this.clock.monotonicMs();
    let outcome: { error: unknown } | undefined;
    work.then(
      () => (outcome = { error: undefined }),
      (error: unknown) => (outcome = { error }),
    );
    // Coding runs in real threads, which the clock must not outrun.
    while (outcome === undefined) {
      for (let turns = 0; turns < TURNS_A_STEP; turns++) await new Promise(setImmediate);
      if (this.coding.busy === 0) await this.clock.advance(STEP_MS);
    }
    return { ...outcome, tookMs: this.clock.monotonicMs() - startMs };
  }

  #makeNode(memory?: MemoryShardOptions): ClusterNode {
    const id = this.nodes.length.toString(16).padStart(12, "0") as NodeId;
    const node = new ClusterNode(id, new MemoryShardService(memory));
    this.nodes.push(node);
    return node;
  }

  #mapNodes(): MapNode[] {
    return this.nodes.map(({ id }) => mapNode(id));
  }
}

function mapNode(id: NodeId): MapNode {
  return { id, url: `http://node-${id}.test`, weight: 100, zone: "", state: "up" };
}

/** Bytes that differ from place to place and from seed to seed. */
export function blockBytes(lengthBytes: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  let word = (seed * 2654435761) >>> 0 || 1;
  for (let at = 0; at < lengthBytes; at++) {
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    bytes[at] = word;
  }
  return bytes;
}

/** Equality at memcmp's speed, for blocks. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
