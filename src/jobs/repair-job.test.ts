import test from "ava";
import { StripeCodec } from "../codec/stripe-codec.ts";
import type { ClusterMap, MapNode, NodeState, Pool } from "../domain/cluster-map.ts";
import { DEFAULT_POOL, type Epoch, type NodeId, type SliceId } from "../domain/ids.ts";
import { silentLog } from "../observability/log.ts";
import { homeNodes, placementGroupOf, writeTargets } from "../placement/placement.ts";
import type { RebuildTools } from "../storage/shards/shard-rebuild.ts";
import { TEST_SEAL } from "../testing/shard/test-name.ts";
import { MemoryShardService } from "../testing/shard/shard-memory.ts";
import { RepairJob, type GroupKey, type RepairCluster } from "./repair-job.ts";
import type { SliceLedger, SliceState } from "./slice-ledger.ts";
import { present } from "../testing/present.ts";

const pool: Pool = { id: DEFAULT_POOL, name: "default", k: 4, m: 2, pgCount: 4 };
const NAMES = ["a", "b", "c", "d", "e", "f"];

/** A cluster of six nodes in memory, with the repair job over it. */
class Fixture implements RepairCluster, SliceLedger {
  readonly waiting = 0;
  readonly nodes = new Map<string, MemoryShardService>();
  readonly sliceStates = new Map<number, SliceState>();
  readonly job: RepairJob;
  readonly clean = new Set<string>();
  abandoned = false;
  #states = new Map<string, NodeState>();
  #map: ClusterMap;
  #damage = 0;

  constructor() {
    const tools: RebuildTools = {
      connect: ({ node }) => this.#service(node),
      reconstruct: (policy, sources, targets) =>
        new StripeCodec(policy).reconstruct(sources, targets),
    };
    for (const name of NAMES) {
      this.nodes.set(name, new MemoryShardService({ tools }));
      this.#states.set(name, "up");
    }
    this.#map = this.#buildMap(1);
    this.job = new RepairJob({
      cluster: this,
      ledger: this,
      shardsOf: (node) => this.#service(node.id),
      log: silentLog,
    });
  }

  #service(name: string): MemoryShardService {
    const service = this.nodes.get(name);
    if (service === undefined || this.#states.get(name) === "down") throw new Error("node away");
    return service;
  }

  #buildMap(epoch: number): ClusterMap {
    const nodes = NAMES.map((name): MapNode => ({
      id: name as NodeId,
      url: `http://${name}`,
      weight: 100,
      zone: "",
      state: present(this.#states.get(name)),
    }));
    return { epoch: epoch as Epoch, nodes, pools: [pool] };
  }

  setState(name: string, state: NodeState): void {
    this.#states.set(name, state);
    this.#map = this.#buildMap(this.#map.epoch + 1);
    this.clean.clear();
  }

  current = (): ClusterMap => this.#map;
  damageCount = (): number => this.#damage;
  dirtyGroups = (): GroupKey[] =>
    Array.from({ length: pool.pgCount }, (_, pg) => ({ pool: pool.id, pg })).filter(
      ({ pg }) => !this.clean.has(String(pg)),
    );
  async markClean(groups: readonly GroupKey[], epoch: Epoch): Promise<void> {
    if (epoch === this.#map.epoch) for (const { pg } of groups) this.clean.add(String(pg));
  }

  async states(ids: readonly SliceId[]): Promise<SliceState[]> {
    return ids.map((id) => this.sliceStates.get(id) ?? "dead");
  }
  async deadSlices(): Promise<never[]> {
    return [];
  }
  async forgetSlices(): Promise<void> {
    throw new Error("not asked of repair");
  }
  async reap(): Promise<number> {
    return 0;
  }
  async abandonedRanges(): Promise<Set<string>> {
    return new Set(this.abandoned ? ["range"] : []);
  }
  async forgetAbandonedRanges(ranges: ReadonlySet<string>): Promise<void> {
    if (ranges.size > 0) this.abandoned = false;
  }

  /** Writes a block as a client does now. */
  async write(slice: number, state: SliceState = "live"): Promise<void> {
    const block = Buffer.alloc(100_000, slice);
    const stripe = await new StripeCodec(pool).encode(block);
    const pg = placementGroupOf(pool, slice as SliceId, 0);
    const targets = writeTargets(this.#map, pool, pg);
    for (const [slot, bytes] of stripe.shards.entries()) {
      const id = { pool: pool.id, pg, slice: slice as SliceId, index: 0, slot };
      const cellCrcs = TEST_SEAL.mask(id, present(stripe.cellCrcs[slot]));
      await present(this.nodes.get(present(targets[slot]).id)).put(id, { bytes, cellCrcs });
    }
    stripe.release();
    this.sliceStates.set(slice, state);
  }

  /** Slots of the block that stand at home, and copies elsewhere. */
  async where(slice: number): Promise<{ atHome: number; elsewhere: number }> {
    const pg = placementGroupOf(pool, slice as SliceId, 0);
    const homes = homeNodes(this.#map, pool, pg);
    let atHome = 0;
    let elsewhere = 0;
    for (const [name, service] of this.nodes) {
      const page = await service.list(pool.id, pg);
      for (const { id } of page.shards.filter((info) => info.id.slice === slice)) {
        if (homes[id.slot]?.id === name) atHome++;
        else elsewhere++;
      }
    }
    return { atHome, elsewhere };
  }

  pass(): Promise<"done" | "later"> {
    return this.job.pass(new AbortController().signal);
  }
}

test("what was written while two nodes were down goes home when they are back", async (t) => {
  const cluster = new Fixture();
  cluster.setState("a", "down");
  cluster.setState("b", "down");
  for (let slice = 1; slice <= 8; slice++) await cluster.write(slice);
  t.is(await cluster.pass(), "later");
  cluster.setState("a", "up");
  cluster.setState("b", "up");
  t.is(await cluster.pass(), "done");
  for (let slice = 1; slice <= 8; slice++) {
    t.deepEqual(await cluster.where(slice), { atHome: 6, elsewhere: 0 });
  }
  t.is(cluster.clean.size, pool.pgCount);
});

test("a node that lost its disk is filled again from the others", async (t) => {
  const cluster = new Fixture();
  for (let slice = 1; slice <= 8; slice++) await cluster.write(slice);
  const emptied = present(cluster.nodes.get("c"));
  for (let pg = 0; pg < pool.pgCount; pg++) {
    const page = await emptied.list(pool.id, pg);
    await emptied.deleteMany(page.shards.map((info) => info.id));
  }
  t.is(await cluster.pass(), "done");
  for (let slice = 1; slice <= 8; slice++) {
    t.deepEqual(await cluster.where(slice), { atHome: 6, elsewhere: 0 });
  }
});

test("a node that is out has its share rebuilt on the others", async (t) => {
  const cluster = new Fixture();
  for (let slice = 1; slice <= 8; slice++) await cluster.write(slice);
  cluster.setState("d", "out");
  t.is(await cluster.pass(), "done");
  for (let slice = 1; slice <= 8; slice++) {
    t.is((await cluster.where(slice)).atHome, 6);
  }
});

test("shards that no slice owns are deleted, those of a live session are waited for", async (t) => {
  const cluster = new Fixture();
  await cluster.write(1, "dead");
  await cluster.write(2, "pending");
  t.is(await cluster.pass(), "later");
  t.deepEqual(await cluster.where(1), { atHome: 0, elsewhere: 0 });
  t.deepEqual(await cluster.where(2), { atHome: 6, elsewhere: 0 });
  t.false(cluster.clean.has(String(placementGroupOf(pool, 2 as SliceId, 0))));
  cluster.sliceStates.set(2, "live");
  t.is(await cluster.pass(), "done");
});

test("abandoned ids are forgotten only after every node's groups were looked at", async (t) => {
  const cluster = new Fixture();
  await cluster.write(1, "dead");
  t.is(await cluster.pass(), "done");
  await cluster.write(2, "dead");
  cluster.abandoned = true;
  cluster.setState("f", "down");
  cluster.job.requestFullSurvey();
  t.is(await cluster.pass(), "later");
  t.true(cluster.abandoned);
  cluster.setState("f", "up");
  t.is(await cluster.pass(), "done");
  t.false(cluster.abandoned);
  t.deepEqual(await cluster.where(2), { atHome: 0, elsewhere: 0 });
});

test("with too many shards lost nothing is deleted and the group stays unclean", async (t) => {
  const cluster = new Fixture();
  await cluster.write(1);
  const pg = placementGroupOf(pool, 1 as SliceId, 0);
  for (const name of ["a", "b", "c"]) {
    const page = await present(cluster.nodes.get(name)).list(pool.id, pg);
    await present(cluster.nodes.get(name)).deleteMany(page.shards.map((info) => info.id));
  }
  t.is(await cluster.pass(), "later");
  t.is(cluster.job.progress().unreadableBlocks, 1);
  t.deepEqual(await cluster.where(1), { atHome: 3, elsewhere: 0 });
  t.false(cluster.clean.has(String(pg)));
});
