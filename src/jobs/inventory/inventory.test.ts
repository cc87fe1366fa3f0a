import test from "ava";
import type { SliceId } from "../../domain/ids.ts";
import { MemoryEngine } from "../../meta/engine/memory-engine.ts";
import { keys } from "../../meta/schema/keys.ts";
import { encodeSlice } from "../../meta/schema/slice.ts";
import { placementGroupOf } from "../../placement/placement.ts";
import { present } from "../../testing/present.ts";
import { blockBytes, ShardCluster } from "../../testing/shard/shard-cluster.ts";
import { MemoryStore } from "../../testing/store/memory-store.ts";
import { ExpectedBlocks } from "./expected-blocks.ts";
import { Inventory, type GroupInventory } from "./inventory.ts";

/** Six nodes with a block of each of three slices, of which the metadata knows two. */
async function world(): Promise<{
  cluster: ShardCluster;
  known: SliceId[];
  inventory: Inventory;
  look: (slice: SliceId) => Promise<GroupInventory>;
}> {
  const cluster = new ShardCluster();
  const engine = new MemoryEngine();
  await using store = cluster.store();
  const refs = [5000, 70_000, 300].map((lengthBytes) => cluster.newBlock(lengthBytes));
  for (const ref of refs) await store.putBlock(ref, blockBytes(ref.lengthBytes));
  const known = refs.slice(0, 2);
  await engine.transact((tx) => {
    for (const { slice, pool, lengthBytes: storedBytes } of known) {
      tx.put(keys.slice(slice), encodeSlice({ references: 1, pool, storedBytes }));
    }
  });
  const map = cluster.maps.current;
  const inventory = new Inventory({
    map,
    nodes: map.nodes,
    shardsOf: ({ id }) => cluster.node(id),
    expected: await ExpectedBlocks.collect(engine, map, new MemoryStore()),
    verify: false,
    signal: new AbortController().signal,
  });
  const look = (slice: SliceId): Promise<GroupInventory> =>
    inventory.look(cluster.pool, placementGroupOf(cluster.pool, slice, 0));
  return { cluster, known: known.map(({ slice }) => slice), inventory, look };
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
  const [finding] = (await look(id)).findings;
  t.true(present(finding).isUnreadable);
  const [left, back] = await inventory.bringBack(cluster.pool, present(finding));
  t.is(back, 4);
  t.like(left, { missing: [], isUnreadable: false });
  t.like(await look(id), { whole: 1, findings: [] });
});
