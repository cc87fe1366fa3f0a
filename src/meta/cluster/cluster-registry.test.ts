import test from "ava";
import type { ClusterMap } from "../../domain/cluster-map.ts";
import { DEFAULT_POOL, type Epoch } from "../../domain/ids.ts";
import { present } from "../../testing/present.ts";
import { MAP_HISTORY_GRACE_MS } from "./limits.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import {
  allGroups,
  beat,
  damage,
  join,
  leave,
  joining,
  nodeId,
  processOf,
  settleGroups,
  writeSomething,
} from "../../testing/meta/joined-nodes.ts";
import { openLocalMeta } from "../../testing/meta/meta-server.ts";
import type { Transaction } from "../engine/engine.ts";
import { MemoryEngine } from "../engine/memory-engine.ts";
import { loadCluster } from "./cluster-records.ts";
import { ClusterRegistry } from "./cluster-registry.ts";

function statesOf(map: ClusterMap): string[] {
  return map.nodes.map((node) => node.state);
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
  t.is(Number(await leave(meta, 2)), epoch + 1);
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
  const moved = joining(1, { url: "http://127.0.0.1:9999" });
  t.is((await meta.cluster.register(moved)).epoch, epoch + 1);
  t.is(present(meta.cluster.current().nodes[0]).url, "http://127.0.0.1:9999");
});

test("another cluster's node is refused", async (t) => {
  const { cluster } = await openLocalMeta();
  const stranger = joining(1);
  await t.throwsAsync(cluster.register({ ...stranger, clusterId: "another" }), { code: "EEXIST" });
  const { clusterId } = await cluster.register(stranger);
  t.is((await cluster.register({ ...stranger, clusterId })).clusterId, cluster.clusterId);
});

const COPY = { nonce: "f".repeat(16), url: "http://127.0.0.1:9999" };

test("a second process with a node's name is refused until the first is silent", async (t) => {
  const clock = new FakeClock();
  const meta = await openLocalMeta({ clock, nodeDownAfterMs: 5000 });
  await join(meta, 1);
  const refusal = { code: "EBUSY", message: /another process serves as node 000000000001 at/ };
  await clock.advance(4000);
  await beat(meta, 1);
  await clock.advance(4999);
  await t.throwsAsync(meta.cluster.register(joining(1, { ...COPY, start: 2 })), refusal);
  t.is(present(meta.cluster.current().nodes[0]).url, processOf(1).url);
  await beat(meta, 1);
  await clock.advance(5000);
  await meta.cluster.register(joining(1, { ...COPY, start: 2 }));
  t.is(present(meta.cluster.current().nodes[0]).url, COPY.url);
  await t.throwsAsync(beat(meta, 1), refusal);
});

test("of many processes with one name that come at once, one gets in", async (t) => {
  const meta = await openLocalMeta();
  const outcomes = await Promise.allSettled(
    [1, 2, 3, 4].map((index) =>
      meta.cluster.register(
        joining(1, { nonce: processOf(index).nonce, url: processOf(index).url }),
      ),
    ),
  );
  t.is(outcomes.filter(({ status }) => status === "fulfilled").length, 1);
});

test("a server that starts has no node before it registers; the known goes first", async (t) => {
  const engine = new MemoryEngine();
  await join(await openLocalMeta({ engine }), 1);
  const clock = new FakeClock();
  const meta = await openLocalMeta({ engine, clock, nodeDownAfterMs: 5000 });
  t.false(meta.cluster.isRegistered(nodeId(1)));
  await t.throwsAsync(beat(meta, 1), { code: "ENOENT" });
  await clock.advance(4000);
  await t.throwsAsync(meta.cluster.register(joining(1, { ...COPY, start: 2 })), { code: "EBUSY" });
  const { epoch } = meta.cluster.current();
  await join(meta, 1);
  t.true(meta.cluster.isRegistered(nodeId(1)));
  t.is(meta.cluster.current().epoch, epoch);
  await beat(meta, 1);
});

test("no group is known to be whole after a node's new start, however quick it was", async (t) => {
  const meta = await openLocalMeta();
  await join(meta, 6);
  await writeSomething(meta);
  const { groups } = meta.cluster;
  await settleGroups(meta);
  await meta.cluster.register(joining(3));
  t.deepEqual(groups.dirty(), []);
  const { epoch } = meta.cluster.current();
  for (const [start, verify] of [
    [2, false],
    [1, true],
  ] as const) {
    await meta.cluster.register(joining(3, { nonce: start.toString().repeat(16), start }));
    t.is(groups.dirty().length, groups.count());
    for (const group of allGroups(meta)) {
      const [doubt, ...others] = groups.concernsOf(group).doubts;
      t.like(doubt, { node: nodeId(3), verify });
      t.deepEqual(others, []);
    }
    await settleGroups(meta);
  }
  t.is(meta.cluster.current().epoch, epoch);
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
  await settleGroups(meta, allGroups(meta).slice(1));
  await meta.cluster.groups.reportDamage([damage(5)]);
  await meta.cluster.groups.doubtNode(nodeId(2), true);
  const again = await openLocalMeta({ engine });
  t.deepEqual(again.cluster.current(), meta.cluster.current());
  t.is(again.cluster.clusterId, meta.cluster.clusterId);
  t.deepEqual(again.cluster.groups.dirty(), meta.cluster.groups.dirty());
  const { findings, doubts } = again.cluster.groups.concernsOf({ pool: DEFAULT_POOL, pg: 5 });
  t.deepEqual(
    findings.map(({ report }) => report),
    [damage(5)],
  );
  t.deepEqual(
    doubts.map(({ node, verify }) => [node, verify]),
    [[nodeId(2), true]],
  );
  t.is(present(again.cluster.nodes()[0]).capacityBytes, 1000);
  t.is(present(again.cluster.nodes()[0]).lastSeenMsAgo, undefined);
});

test("groups of a cluster that never held data are clean in every epoch", async (t) => {
  const meta = await openLocalMeta();
  await join(meta, 6);
  t.deepEqual(meta.cluster.groups.dirty(), []);
  t.is(meta.cluster.groups.survivableLosses(), 2);
  await writeSomething(meta);
  await leave(meta, 1);
  t.is(meta.cluster.groups.dirty().length, meta.cluster.groups.count());
});

test("older maps are kept while a group needs them or they may be in use, no longer", async (t) => {
  const clock = new FakeClock();
  const engine = new MemoryEngine();
  const meta = await openLocalMeta({ clock, engine });
  await writeSomething(meta);
  await join(meta, 6);
  const { cluster } = meta;
  await settleGroups(meta);
  for (let round = 0; round < 5; round++) {
    await leave(meta, 2);
    await beat(meta, 2);
  }
  await clock.advance(MAP_HISTORY_GRACE_MS + 1);
  const { current, older } = cluster.history();
  t.is(older.length <= 7, true, "maps that place alike are kept once");
  t.true(older.some((map) => map.nodes[1]?.state === "down"));
  await settleGroups(meta);
  t.deepEqual(cluster.history().older, []);
  const stored = engine.read(loadCluster).maps.map((map) => map.epoch);
  t.deepEqual(stored, [current.epoch]);
});

test("the registry opens only what was formatted", async (t) => {
  const options = { engine: new MemoryEngine(), clock: new FakeClock() };
  const { silentLog: log } = await import("../../observability/log.ts");
  const timings = { nodeDownAfterMs: 1, nodeOutAfterMs: 2 };
  await t.throwsAsync(ClusterRegistry.open({ ...options, log, timings }), { code: "EIO" });
});
