import test from "ava";
import type { MapNode } from "../../domain/cluster-map.ts";
import { blockBytes, ShardCluster, type ClusterNode } from "../../testing/shard/shard-cluster.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { NodeBreaker, type BreakerState } from "./node-breaker.ts";
import { present } from "../../testing/present.ts";

function breakerOn(probe: () => Promise<unknown>) {
  const clock = new FakeClock();
  const states: BreakerState[] = [];
  const breaker = new NodeBreaker({
    clock,
    probe,
    silent: () => undefined,
    changed: (state) => states.push(state),
  });
  return { clock, states, breaker };
}

test("a suspect whose probe fails is open, and closes with the first good probe", async (t) => {
  let alive = false;
  let probes = 0;
  const { clock, states, breaker } = breakerOn(async () => {
    probes++;
    if (!alive) throw new Error("dead");
  });
  breaker.suspect();
  t.is(breaker.state, "suspect");
  await clock.advance(0);
  t.is(breaker.state, "open");
  await clock.advance(3000);
  t.is(probes, 4);
  alive = true;
  await clock.advance(999);
  t.is(breaker.state, "open");
  await clock.advance(1);
  t.is(breaker.state, "closed");
  await clock.advance(10_000);
  t.is(probes, 5);
  t.deepEqual(states, ["suspect", "open", "closed"]);
});

test("a probe lost among answers opens nothing", async (t) => {
  let fail = (): void => undefined;
  const { clock, breaker } = breakerOn(
    () => new Promise((_resolve, reject) => (fail = () => reject(new Error("lost")))),
  );
  breaker.suspect();
  breaker.answered();
  fail();
  await clock.advance(0);
  t.is(breaker.state, "closed");
});

test("an ended breaker probes no more", async (t) => {
  let probes = 0;
  const { clock, breaker } = breakerOn(async () => {
    probes++;
    throw new Error("dead");
  });
  breaker.suspect();
  await clock.advance(0);
  breaker.end();
  await clock.advance(10_000);
  t.is(probes, 1);
});

test("a node that comes back is used again after at most one probe interval", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const node = present(cluster.nodes[0]);
  node.kill();
  await store.putBlock(cluster.newBlock(1000), blockBytes(1000));
  t.is(node.memory.ids.length, 0);
  node.heal();
  await cluster.clock.advance(1000);
  await store.putBlock(cluster.newBlock(1000), blockBytes(1000));
  t.is(node.memory.ids.length, 1);
});

test("when the map says that a node is up again it is probed at once", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const node = present(cluster.nodes[0]);
  node.kill();
  await store.putBlock(cluster.newBlock(1000), blockBytes(1000));
  cluster.setState(node.id, "down");
  await store.putBlock(cluster.newBlock(1000), blockBytes(1000));
  node.heal();
  cluster.setState(node.id, "up");
  await store.putBlock(cluster.newBlock(1000), blockBytes(1000));
  await cluster.clock.advance(0);
  await store.putBlock(cluster.newBlock(1000), blockBytes(1000));
  t.true(node.memory.ids.length > 0);
});

test("the client of a node that moves or leaves is closed, and all are in the end", async (t) => {
  const cluster = new ShardCluster({ nodes: 7 });
  const store = cluster.store();
  await store.putBlock(cluster.newBlock(1000), blockBytes(1000));
  for (const node of cluster.nodes) await node.stats();
  const moving = present(cluster.nodes[0]);
  const leaving = present(cluster.nodes[1]);
  const staying = present(cluster.nodes[2]);
  const moved = (node: MapNode): MapNode =>
    node.id === moving.id ? { ...node, url: "http://elsewhere.test" } : node;
  const used = cluster.nodes.filter((node) => node.callsOf("put") > 0);
  cluster.change(cluster.maps.current.nodes.filter(({ id }) => id !== leaving.id).map(moved));
  await store.putBlock(cluster.newBlock(1000), blockBytes(1000));
  const closings = (node: ClusterNode): number => (used.includes(node) ? 1 : 0);
  t.is(moving.closed, closings(moving));
  t.is(leaving.closed, closings(leaving));
  t.is(staying.closed, 0);
  await store.close();
  for (const node of cluster.nodes) t.true(node.closed > 0 || node.callsOf("put") === 0);
});
