import test from "ava";
import type { MapNode, Pool } from "../../domain/cluster-map.ts";
import { DEFAULT_POOL, type NodeId, type SliceId } from "../../domain/ids.ts";
import { planBlock } from "./repair-plan.ts";
import { present } from "../../testing/present.ts";

const pool: Pool = { id: DEFAULT_POOL, name: "default", k: 4, m: 2, pgCount: 8 };
const nodes: MapNode[] = (["a", "b", "c", "d", "e", "f", "g"] as NodeId[]).map((id) => ({
  id,
  url: `http://${id}`,
  weight: 100,
  zone: "",
  state: "up",
}));
const homes = nodes.slice(0, 6);
const byId = new Map(nodes.map((node) => [node.id, node]));

function plan(holders: string[], reachable = byId) {
  const lists = holders.map((ids) => ids.split("") as NodeId[]);
  const block = { slice: 7 as SliceId, index: 0, holders: lists };
  return planBlock(block, pool, 3, homes, reachable);
}

function without(...ids: string[]): Map<NodeId, MapNode> {
  return new Map([...byId].filter(([id]) => !ids.includes(id as string)));
}

test("a block whose shards are all at home needs nothing", (t) => {
  const { rebuilds, surplus, waiting, unreadable } = plan(["a", "b", "c", "d", "e", "f"]);
  t.deepEqual([rebuilds.length, surplus.length, waiting, unreadable], [0, 0, false, false]);
});

test("a misplaced shard goes home from where it is, and its copy is surplus", (t) => {
  const { rebuilds, surplus } = plan(["a", "b", "c", "d", "e", "g"]);
  t.is(rebuilds.length, 1);
  t.is(present(rebuilds[0]).target.url, "http://f");
  t.deepEqual(
    present(rebuilds[0]).request.sources.map(({ slot, node }) => `${slot} ${node}`),
    ["5 g", "0 a", "1 b", "2 c", "3 d", "4 e"],
    "the copy first, then all others, since it may be spoilt",
  );
  t.deepEqual(
    surplus.map((shard) => [shard.node, shard.id.slot]),
    [["g", 5]],
  );
});

test("a lost shard is decoded from all that stand, and survivors tell how urgent it is", (t) => {
  const { rebuilds } = plan(["a", "", "c", "d", "e", ""]);
  t.deepEqual(
    rebuilds.map((task) => [task.target.id, task.survivors, task.request.sources.length]),
    [
      ["b", 4, 4],
      ["f", 4, 4],
    ],
  );
});

test("with fewer than k shards only copies are made and the block is called unreadable", (t) => {
  const { rebuilds, unreadable } = plan(["a", "", "g", "", "", ""]);
  t.true(unreadable);
  t.deepEqual(
    rebuilds.map((task) => task.target.id),
    ["c"],
  );
});

test("a home that doesn't answer is waited for, and nobody else's repair waits with it", (t) => {
  const { rebuilds, waiting } = plan(["a", "b", "c", "d", "", ""], without("f"));
  t.true(waiting);
  t.deepEqual(
    rebuilds.map((task) => task.target.id),
    ["e"],
  );
});
