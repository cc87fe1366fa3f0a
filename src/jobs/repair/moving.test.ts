// A cluster that grows from one node to six, each a real store on a disk of its own: shards that
// were on disk are on some disk at any time, however soon the power of the new nodes goes.
import test from "ava";
import { sharedAbort } from "../../platform/flow/abort.ts";
import { DEFAULT_POOL, formatShardId, type ShardId, type SliceId } from "../../domain/ids.ts";
import { silentLog } from "../../observability/log.ts";
import { homeNodes, placementGroupOf } from "../../placement/placement.ts";
import type { ShardStore } from "../../storage/shards/shard-store.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { join, nodeId, writeSomething } from "../../testing/meta/joined-nodes.ts";
import { openLocalMeta, type LocalMeta } from "../../testing/meta/meta-server.ts";
import { present } from "../../testing/present.ts";
import { MemoryMachine } from "../../testing/shard/memory-machine.ts";
import { FaultyShardService } from "../../testing/shard/shard-faults.ts";
import { payloadOf, putShard, verdictOf } from "../../testing/shard/shard-service-conformance.ts";
import { TEST_SEAL } from "../../testing/shard/test-name.ts";
import type { PassOutcome } from "../job.ts";
import { NodeCalls } from "../node-calls.ts";
import type { SliceStates } from "../slice-ledger.ts";
import { GroupRepair } from "./group-repair.ts";
import { RepairJob } from "./repair-job.ts";
import { ShardCheck } from "./shard-check.ts";

const NODES = 6;
const SLOTS = 6;
const GROUPS = 8;
/** Kept in files, and in the index. */
const SIZES = [100_000, 1000];
const SLICES = Array.from({ length: 16 }, (_, at) => (256 + at) as SliceId);
/** So long the index of a node is on its way to disk: nobody may take it for being there. */
const INDEX_SYNC_TURNS = 50;

const ALL_LIVE: SliceStates = {
  states: (ids) => Promise.resolve(ids.map(() => "live")),
  mayInfer: () => Promise.resolve(false),
  copiesCiteBelow: () => Promise.resolve(0 as SliceId),
};

interface Node {
  readonly machine: MemoryMachine;
  store: ShardStore;
  service: FaultyShardService;
}

class GrowingCluster {
  readonly shards: readonly ShardId[];
  readonly #meta: LocalMeta;
  readonly #nodes: Node[] = [];
  readonly #job: RepairJob;

  private constructor(meta: LocalMeta) {
    const { cluster } = meta;
    this.#meta = meta;
    const [pool] = cluster.current().pools;
    this.shards = SLICES.flatMap((slice) =>
      Array.from({ length: SLOTS }, (_, slot) => {
        const pg = placementGroupOf(present(pool), slice, 0);
        return { pool: DEFAULT_POOL, pg, slice, index: 0, slot };
      }),
    );
    const calls = new NodeCalls(({ id }) => this.#node(id).service, new FakeClock());
    const check = new ShardCheck(calls, TEST_SEAL, silentLog);
    const { groups } = cluster;
    const repair = new GroupRepair({ groups, ledger: ALL_LIVE, calls, check, log: silentLog });
    this.#job = new RepairJob({ cluster, calls, repair });
  }

  /** One node that has all shards on its disk, and five that have just joined. */
  static async make(): Promise<GrowingCluster> {
    const meta = await openLocalMeta({ pgCount: GROUPS });
    await join(meta, 1);
    await writeSomething(meta);
    const cluster = new GrowingCluster(meta);
    for (let count = 0; count < NODES; count++) await cluster.#addNode();
    const { store } = cluster.first;
    for (const id of cluster.shards) await cluster.put(store, id);
    await store.secure(cluster.shards, "unseen");
    await join(meta, NODES);
    return cluster;
  }

  get first(): Node {
    return present(this.#nodes[0]);
  }

  async put(store: ShardStore, id: ShardId): Promise<void> {
    const sizeBytes = present(SIZES[id.slice % SIZES.length]);
    await putShard(store, id, payloadOf(sizeBytes, id.slice * SLOTS + id.slot));
  }

  homeOf({ pg, slot }: ShardId): Node {
    const map = this.#meta.cluster.current();
    return this.#node(present(homeNodes(map, present(map.pools[0]), pg)[slot]).id);
  }

  repair(): Promise<PassOutcome> {
    return this.#job.pass(sharedAbort().signal);
  }

  /** All but the first node lose their power. */
  cut(): void {
    for (const { machine, service } of this.#nodes.slice(1)) {
      machine.disk.cut();
      // Nothing that the process of before still does reaches the disk, or anybody.
      machine.fault = () => "EIO";
      service.fail("*", "ECONNREFUSED");
    }
  }

  /** They come back. */
  async restart(): Promise<void> {
    for (const [at, node] of this.#nodes.entries()) {
      if (node === this.first) continue;
      node.machine.heal();
      node.store = await this.#start(node.machine);
      node.service = new FaultyShardService(node.store);
      await this.#meta.cluster.groups.doubtNode(nodeId(at + 1), false);
    }
  }

  /** Shards that no node has whole. */
  async lost(): Promise<string[]> {
    const lost = [];
    for (const id of this.shards) {
      const verdicts = await Promise.all(this.#nodes.map(({ store }) => verdictOf(store, id)));
      if (!verdicts.includes("secure")) lost.push(formatShardId(id));
    }
    return lost;
  }

  /** Shards that stand elsewhere than at home, or don't stand there. */
  async misplaced(): Promise<string[]> {
    const misplaced = [];
    for (const id of this.shards) {
      for (const node of this.#nodes) {
        const [info] = await node.store.headMany([id]);
        if ((info !== undefined) !== (node === this.homeOf(id))) misplaced.push(formatShardId(id));
      }
    }
    return misplaced;
  }

  async #addNode(): Promise<void> {
    const machine = new MemoryMachine();
    machine.pause = ({ what, path }) =>
      what === "datasync" && path.startsWith("/node/index") ? turns(INDEX_SYNC_TURNS) : undefined;
    const store = await this.#start(machine);
    this.#nodes.push({ machine, store, service: new FaultyShardService(store) });
  }

  #start(machine: MemoryMachine): Promise<ShardStore> {
    const rebuild = {
      connect: ({ node }: { node: string }) => this.#node(node).service,
      reconstruct: () => Promise.reject(new Error("each shard has a copy")),
    };
    return machine.start({ rebuild });
  }

  #node(id: string): Node {
    return present(this.#nodes[Number.parseInt(id, 16) - 1]);
  }
}

async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left--) await new Promise(setImmediate);
}

test("when all shards have moved to new nodes a power cut takes none of them", async (t) => {
  const cluster = await GrowingCluster.make();
  t.is(await cluster.repair(), "done");
  cluster.cut();
  await cluster.restart();
  t.deepEqual(await cluster.lost(), []);
  t.deepEqual(await cluster.misplaced(), []);
});

test("nor does one when the first shards have gone from where they were", async (t) => {
  for (const deletes of [1, 3, 5]) {
    const cluster = await GrowingCluster.make();
    const { service } = cluster.first;
    const deleteMany = service.deleteMany.bind(service);
    let left = deletes;
    service.deleteMany = async (...asked) => {
      await deleteMany(...asked);
      left -= 1;
      if (left === 0) cluster.cut();
    };
    await cluster.repair();
    t.true(left <= 0);
    await cluster.restart();
    t.deepEqual(await cluster.lost(), [], `after ${deletes}`);
    t.is(await cluster.repair(), "done");
    t.deepEqual(await cluster.misplaced(), []);
  }
});

test("a copy that a node got before, and nobody synced, is on disk first, too", async (t) => {
  const cluster = await GrowingCluster.make();
  for (const id of cluster.shards) await cluster.put(cluster.homeOf(id).store, id);
  t.is(await cluster.repair(), "done");
  cluster.cut();
  await cluster.restart();
  t.deepEqual(await cluster.lost(), []);
  t.deepEqual(await cluster.misplaced(), []);
});
