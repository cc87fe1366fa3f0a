import test from "ava";
import { parseShardId, type SliceId } from "../../domain/ids.ts";
import type { BlockRef } from "../../domain/layout.ts";
import { MemoryEngine } from "../../meta/engine/memory-engine.ts";
import { keys } from "../../meta/schema/keys.ts";
import { encodeSlice } from "../../meta/schema/slice.ts";
import { placementGroupOf } from "../../placement/placement.ts";
import { present } from "../../testing/present.ts";
import { blockBytes, ShardCluster } from "../../testing/shard/shard-cluster.ts";
import { MemoryStore } from "../../testing/store/memory-store.ts";
import { NodeCalls } from "../node-calls.ts";
import { ExpectedBlocks } from "./expected-blocks.ts";
import { Inventory, type GroupInventory } from "./inventory.ts";

/** Of blocks on six nodes, of which the metadata knows those of `known`. */
async function inventoryOf(
  cluster: ShardCluster,
  known: readonly BlockRef[],
  verify = false,
): Promise<Inventory> {
  const engine = new MemoryEngine();
  await engine.transact((tx) => {
    for (const { slice, pool, lengthBytes: storedBytes } of known) {
      tx.put(keys.slice(slice), encodeSlice({ references: 1, pool, storedBytes }));
    }
  });
  const map = cluster.maps.current;
  return new Inventory({
    map,
    nodes: map.nodes,
    calls: new NodeCalls(({ id }) => cluster.node(id), cluster.clock),
    expected: await ExpectedBlocks.collect(engine, map, new MemoryStore()),
    verify,
    signal: new AbortController().signal,
  });
}

async function put(cluster: ShardCluster, refs: readonly BlockRef[]): Promise<void> {
  await using store = cluster.store();
  for (const ref of refs) await store.putBlock(ref, blockBytes(ref.lengthBytes));
}

/** Six nodes with a block of each of three slices, of which the metadata knows two. */
async function world(): Promise<{
  cluster: ShardCluster;
  known: SliceId[];
  inventory: Inventory;
  look: (slice: SliceId) => Promise<GroupInventory>;
}> {
  const cluster = new ShardCluster();
  const refs = [5000, 70_000, 300].map((lengthBytes) => cluster.newBlock(lengthBytes));
  await put(cluster, refs);
  const known = refs.slice(0, 2);
  const inventory = await inventoryOf(cluster, known);
  const look = (slice: SliceId): Promise<GroupInventory> =>
    inventory.look(cluster.pool, placementGroupOf(cluster.pool, slice, 0));
  return { cluster, known: known.map(({ slice }) => slice), inventory, look };
}

/** So many blocks of one group, all of them known. */
async function fullGroup(
  count: number,
  verify: boolean,
): Promise<{ cluster: ShardCluster; inventory: Inventory; pg: number }> {
  const cluster = new ShardCluster();
  const groupOf = ({ slice }: BlockRef): number => placementGroupOf(cluster.pool, slice, 0);
  const refs = [cluster.newBlock(5000)];
  const pg = groupOf(present(refs[0]));
  while (refs.length < count) {
    const ref = cluster.newBlock(5000);
    if (groupOf(ref) === pg) refs.push(ref);
  }
  await put(cluster, refs);
  return { cluster, inventory: await inventoryOf(cluster, refs, verify), pg };
}

test("blocks are told that are whole, that lack shards, and that can't be read", async (t) => {
  const { cluster, known, inventory, look } = await world();
  const [slice] = known;
  const id = present(slice);
  t.like(await look(id), { whole: 1, findings: [], spoilt: 0 });
  const shards = cluster.nodes.flatMap((node) =>
    node.shardsOf({ ...cluster.newBlock(1), slice: id }).map((shard) => ({ node, shard })),
  );
  for (const [lost, { node, shard }] of shards.slice(0, 3).entries()) {
    await node.deleteMany([shard]);
    const { findings } = await look(id);
    t.is(present(findings[0]).missing.length, lost + 1);
    t.is(present(findings[0]).isUnreadable, lost === 2);
  }
  const totals = await Promise.all(
    inventory.groups.map(({ pool, pg }) => inventory.look(pool, pg)),
  );
  t.is(
    totals.reduce((sum, { unexplained }) => sum + unexplained, 0),
    6,
  );
});

test("shards that are missed come back from the trash", async (t) => {
  const { cluster, known, inventory, look } = await world();
  const id = present(known[1]);
  for (const node of cluster.nodes.slice(0, 4)) {
    await node.park(node.shardsOf({ ...cluster.newBlock(1), slice: id }));
  }
  const { findings } = await look(id);
  t.true(present(findings[0]).isUnreadable);
  const pg = placementGroupOf(cluster.pool, id, 0);
  const [left, back] = await inventory.bringBack(cluster.pool, pg, findings);
  t.is(back, 4);
  t.like(left[0], { missing: [], isUnreadable: false });
  t.like(await look(id), { whole: 1, findings: [] });
});

test("a node that hangs holds up three looks for a while, and then none", async (t) => {
  const { cluster, known, inventory, look } = await world();
  present(cluster.nodes[5]).hang("list");
  const id = present(known[0]);
  const tookMs: number[] = [];
  for (let looked = 0; looked < 5; looked += 1) {
    tookMs.push((await cluster.settle(look(id))).tookMs);
  }
  t.true(Math.max(...tookMs) < 11_000, tookMs.join());
  t.true(Math.max(...tookMs.slice(3)) < 100, tookMs.join());
  t.deepEqual([...inventory.unreachable], [present(cluster.nodes[5]).id]);
  const [finding] = (await look(id)).findings;
  t.like(finding, { isUnreadable: false });
  t.is(present(finding).missing.length, 1);
});

test("a node is asked about all shards of a group at once", async (t) => {
  const { cluster, inventory, pg } = await fullGroup(3, true);
  t.like(await inventory.look(cluster.pool, pg), { whole: 3, findings: [], spoilt: 0 });
  t.is(cluster.callsOf("secure"), 6);
  for (const node of cluster.nodes.slice(0, 3)) {
    await node.park(node.memory.ids.map((text) => present(parseShardId(text))));
  }
  const { findings } = await inventory.look(cluster.pool, pg);
  t.is(findings.length, 3);
  const [left, back] = await inventory.bringBack(cluster.pool, pg, findings);
  t.is(back, 9);
  t.true(left.every(({ missing }) => missing.length === 0));
  t.is(cluster.callsOf("unpark"), 6);
});
