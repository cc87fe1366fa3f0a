import test from "ava";
import type { ClusterMap } from "../../domain/cluster-map.ts";
import { DEFAULT_POOL, type Epoch, type NodeId, type SliceId } from "../../domain/ids.ts";
import { present } from "../../testing/present.ts";
import { MAP_HISTORY_GRACE_MS, MAX_DAMAGE_PER_GROUP } from "./limits.ts";
import type { DamageReport } from "../../protocol/meta/meta-service.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { openLocalMeta, type LocalMeta } from "../../testing/meta/meta-server.ts";
import type { Transaction } from "../engine/engine.ts";
import { MemoryEngine } from "../engine/memory-engine.ts";
import { loadCluster } from "./cluster-records.ts";
import { ClusterRegistry } from "./cluster-registry.ts";

const SIZES = { usedBytes: 0, capacityBytes: 1000 };
const BEAT = { ...SIZES, shards: 0, quarantined: 0 };

function nodeId(index: number): NodeId {
  return index.toString(16).padStart(12, "0") as NodeId;
}

async function join(meta: LocalMeta, count: number): Promise<void> {
  for (let index = 1; index <= count; index++) {
    const url = `http://127.0.0.1:${9000 + index}`;
    await meta.cluster.register({ id: nodeId(index), url, zone: "", weight: 100, ...SIZES });
  }
}

async function beat(meta: LocalMeta, ...indexes: number[]): Promise<void> {
  for (const index of indexes) await meta.cluster.heartbeat(nodeId(index), BEAT);
}

function statesOf(map: ClusterMap): string[] {
  return map.nodes.map((node) => node.state);
}

/** Data exists from now on, so that groups don't count as clean for being empty. */
async function writeSomething(meta: LocalMeta): Promise<void> {
  await (await meta.newSession()).allocateSlices();
}

function allGroups(meta: LocalMeta): { pool: typeof DEFAULT_POOL; pg: number }[] {
  return Array.from({ length: meta.cluster.groupCount() }, (_, pg) => ({ pool: DEFAULT_POOL, pg }));
}

function damage(pg: number, slice = 256): DamageReport {
  const shard = { pool: DEFAULT_POOL, pg, slice: slice as SliceId, index: 0, slot: 1 };
  return { shard, kind: "missing", node: nodeId(1) };
}

test("a silent node is down after its time, out after more, and up when heard again", async (t) => {
  const clock = new FakeClock();
  const meta = await openLocalMeta({ clock, nodeDownAfterMs: 5000, nodeOutAfterMs: 60_000 });
  await join(meta, 3);
  meta.cluster.start();
  for (let second = 0; second < 5; second++) {
    await clock.advance(1000);
    await beat(meta, 1, 2);
  }
  await clock.advance(500);
  t.deepEqual(statesOf(meta.cluster.current()), ["up", "up", "down"]);
  const downAt = meta.cluster.current().epoch;
  for (let second = 0; second < 56; second++) {
    await clock.advance(1000);
    await beat(meta, 1, 2);
  }
  t.deepEqual(statesOf(meta.cluster.current()), ["up", "up", "out"]);
  t.is(Number(meta.cluster.current().epoch), downAt + 1);
  await beat(meta, 3);
  t.deepEqual(statesOf(meta.cluster.current()), ["up", "up", "up"]);
  await meta.cluster.close();
});

test("nobody is declared out while half of the nodes or more are gone", async (t) => {
  const clock = new FakeClock();
  const meta = await openLocalMeta({ clock, nodeOutAfterMs: 60_000 });
  await join(meta, 4);
  meta.cluster.start();
  for (let second = 0; second < 120; second++) {
    await clock.advance(1000);
    await beat(meta, 1, 2);
  }
  t.deepEqual(statesOf(meta.cluster.current()), ["up", "up", "down", "down"]);
  await meta.cluster.close();
});

test("a node that says goodbye is down at once", async (t) => {
  const meta = await openLocalMeta();
  await join(meta, 2);
  const { epoch } = meta.cluster.current();
  t.is(Number(await meta.cluster.leaving(nodeId(2))), epoch + 1);
  t.deepEqual(statesOf(meta.cluster.current()), ["up", "down"]);
});

test("a pause of this process is not held against the nodes", async (t) => {
  const clock = new FakeClock();
  const meta = await openLocalMeta({ clock, nodeDownAfterMs: 5000 });
  await join(meta, 2);
  meta.cluster.start();
  // Time jumps without timers having run, as after SIGSTOP.
  await clock.advance(400);
  const startMs = clock.nowMs() - clock.monotonicMs();
  clock.monotonicMs = () => clock.nowMs() - startMs + 60_000;
  await clock.advance(600);
  t.deepEqual(statesOf(meta.cluster.current()), ["up", "up"]);
  await meta.cluster.close();
});

test("a known node with a new address makes a new epoch, with the same one none", async (t) => {
  const meta = await openLocalMeta();
  await join(meta, 1);
  const { epoch } = meta.cluster.current();
  await join(meta, 1);
  t.is(meta.cluster.current().epoch, epoch);
  const moved = { id: nodeId(1), url: "http://127.0.0.1:9999", zone: "", weight: 100, ...SIZES };
  t.is((await meta.cluster.register(moved)).epoch, epoch + 1);
  t.is(present(meta.cluster.current().nodes[0]).url, "http://127.0.0.1:9999");
});

test("another cluster's node is refused", async (t) => {
  const { cluster } = await openLocalMeta();
  const stranger = { id: nodeId(1), url: "http://127.0.0.1:1", zone: "", weight: 100, ...SIZES };
  await t.throwsAsync(cluster.register({ ...stranger, clusterId: "another" }), { code: "EEXIST" });
  const { clusterId } = await cluster.register(stranger);
  t.is((await cluster.register({ ...stranger, clusterId })).clusterId, cluster.clusterId);
});

test("a map is on disk before anybody hears of it", async (t) => {
  class WatchedEngine extends MemoryEngine {
    durable = 0;
    override transact<T>(
      callback: (tx: Transaction) => T,
      options?: { durable?: boolean },
    ): Promise<T> {
      if (options?.durable === true) this.durable += 1;
      return super.transact(callback);
    }
  }
  const engine = new WatchedEngine();
  const meta = await openLocalMeta({ engine });
  const heard: Epoch[] = [];
  meta.cluster.onChange(({ current }) => {
    const stored = engine.read(loadCluster).maps.map((map) => map.epoch);
    t.true(stored.includes(current.epoch));
    heard.push(current.epoch);
  });
  engine.durable = 0;
  await join(meta, 3);
  t.deepEqual(heard.map(Number), [2, 3, 4]);
  t.is(engine.durable, 3);
});

test("nodes, epochs, clean groups and damage outlive the server", async (t) => {
  const engine = new MemoryEngine();
  const meta = await openLocalMeta({ engine });
  await writeSomething(meta);
  await join(meta, 3);
  const { epoch } = meta.cluster.current();
  await meta.cluster.markClean(allGroups(meta).slice(1), epoch, 0);
  await meta.cluster.reportDamage([damage(5)]);
  const again = await openLocalMeta({ engine });
  t.deepEqual(again.cluster.current(), meta.cluster.current());
  t.is(again.cluster.clusterId, meta.cluster.clusterId);
  t.deepEqual(
    again.cluster.dirtyGroups().map(({ pg, damage: { length } }) => [pg, length]),
    [
      [0, 0],
      [5, 1],
    ],
  );
  t.is(present(again.cluster.nodes()[0]).capacityBytes, 1000);
  t.is(present(again.cluster.nodes()[0]).lastSeenMsAgo, undefined);
});

test("groups of a cluster that never held data are clean in every epoch", async (t) => {
  const meta = await openLocalMeta();
  await join(meta, 6);
  t.deepEqual(meta.cluster.dirtyGroups(), []);
  t.is(meta.cluster.survivableLosses(), 2);
  await writeSomething(meta);
  await meta.cluster.leaving(nodeId(1));
  t.is(meta.cluster.dirtyGroups().length, meta.cluster.groupCount());
});

test("damage reported during a pass is not wiped out by its result", async (t) => {
  const meta = await openLocalMeta();
  await join(meta, 3);
  const { cluster } = meta;
  await cluster.reportDamage([damage(1), damage(1), damage(2)]);
  const noted = cluster.damageCount();
  await cluster.reportDamage([damage(2, 512)]);
  const groups = [1, 2].map((pg) => ({ pool: DEFAULT_POOL, pg }));
  await cluster.markClean(groups, cluster.current().epoch, noted);
  const [left, ...others] = cluster.dirtyGroups();
  t.deepEqual(others, []);
  t.deepEqual(present(left).damage, [damage(2, 512)]);
});

test("whoever repairs hears of damage once, and not of what was known", async (t) => {
  const { cluster } = await openLocalMeta();
  let heard = 0;
  const stop = cluster.onDamage(() => heard++);
  await cluster.reportDamage([damage(1), damage(2)]);
  await cluster.reportDamage([damage(1)]);
  t.is(heard, 1);
  stop();
  await cluster.reportDamage([damage(3)]);
  t.is(heard, 1);
});

test("damage is bounded a group, and reports of unknown groups are ignored", async (t) => {
  const { cluster } = await openLocalMeta();
  const many = Array.from({ length: MAX_DAMAGE_PER_GROUP + 10 }, (_, i) => damage(3, 256 + i));
  await cluster.reportDamage([...many, damage(99_999)]);
  const dirty = cluster.dirtyGroups();
  t.is(dirty.length, 1);
  t.is(present(dirty[0]).damage.length, MAX_DAMAGE_PER_GROUP);
});

test("older maps are kept while a group needs them or they may be in use, no longer", async (t) => {
  const clock = new FakeClock();
  const engine = new MemoryEngine();
  const meta = await openLocalMeta({ clock, engine });
  await writeSomething(meta);
  await join(meta, 6);
  const { cluster } = meta;
  await cluster.markClean(allGroups(meta), cluster.current().epoch, cluster.damageCount());
  for (let round = 0; round < 5; round++) {
    await cluster.leaving(nodeId(2));
    await beat(meta, 2);
  }
  await clock.advance(MAP_HISTORY_GRACE_MS + 1);
  const { current, older } = cluster.history();
  t.is(older.length <= 7, true, "maps that place alike are kept once");
  t.true(older.some((map) => map.nodes[1]?.state === "down"));
  await cluster.markClean(allGroups(meta), current.epoch, cluster.damageCount());
  t.deepEqual(cluster.history().older, []);
  const stored = engine.read(loadCluster).maps.map((map) => map.epoch);
  t.deepEqual(stored, [current.epoch]);
});

test("survivable losses follow node states, and wait for repair before they recover", async (t) => {
  const meta = await openLocalMeta();
  const { cluster } = meta;
  await join(meta, 6);
  await writeSomething(meta);
  t.is(cluster.survivableLosses(), 2);
  await cluster.leaving(nodeId(1));
  t.is(cluster.survivableLosses(), 1);
  await cluster.leaving(nodeId(2));
  t.is(cluster.survivableLosses(), 0);
  await cluster.leaving(nodeId(3));
  t.is(cluster.survivableLosses(), -1);
  await beat(meta, 1, 2, 3);
  t.true(cluster.survivableLosses() < 2, "shards written meanwhile stand doubled up");
  await cluster.markClean(allGroups(meta), cluster.current().epoch, cluster.damageCount());
  t.is(cluster.survivableLosses(), 2);
});

test("with three nodes one may be lost, with one none", async (t) => {
  const three = await openLocalMeta();
  await join(three, 3);
  t.is(three.cluster.survivableLosses(), 1);
  const one = await openLocalMeta();
  await join(one, 1);
  t.is(one.cluster.survivableLosses(), 0);
  const none = await openLocalMeta();
  t.is(none.cluster.survivableLosses(), -1);
});

test("the registry opens only what was formatted", async (t) => {
  const options = { engine: new MemoryEngine(), clock: new FakeClock() };
  const { silentLog: log } = await import("../../observability/log.ts");
  const timings = { nodeDownAfterMs: 1, nodeOutAfterMs: 2 };
  await t.throwsAsync(ClusterRegistry.open({ ...options, log, timings }), { code: "EIO" });
});
