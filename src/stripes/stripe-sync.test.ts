import test from "ava";
import { isFsError } from "../domain/errno.ts";
import { formatShardId } from "../domain/ids.ts";
import type { BlockRef } from "../domain/layout.ts";
import { blockBytes, sameBytes, ShardCluster } from "../testing/shard/shard-cluster.ts";
import type { StripeBlockStore } from "./stripe-block-store.ts";
import { present } from "../testing/present.ts";

async function writeBlocks(store: StripeBlockStore, cluster: ShardCluster, count: number) {
  const refs: BlockRef[] = [];
  for (let at = 0; at < count; at++) {
    const ref = cluster.newBlock(1000);
    await store.putBlock(ref, blockBytes(1000, ref.slice));
    refs.push(ref);
  }
  return refs;
}

function durableShards(cluster: ShardCluster): number {
  return cluster.nodes.reduce((sum, node) => sum + node.memory.secured.size, 0);
}

test("fsync makes every shard of the blocks durable with one request a node", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const refs = await writeBlocks(store, cluster, 10);
  await store.syncBlocks(refs);
  t.is(durableShards(cluster), 60);
  t.deepEqual(
    cluster.nodes.map((node) => node.callsOf("secure")),
    [1, 1, 1, 1, 1, 1],
  );
});

test("no blocks, no requests", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  await store.syncBlocks([]);
  t.is(
    cluster.nodes.reduce((sum, node) => sum + node.calls.length, 0),
    0,
  );
});

test("shards put elsewhere are synced where they are", async (t) => {
  const cluster = new ShardCluster({ nodes: 8 });
  await using store = cluster.store();
  present(cluster.nodes[0]).kill();
  const refs = await writeBlocks(store, cluster, 5);
  await store.syncBlocks(refs);
  t.is(durableShards(cluster), 30);
});

test("blocks of which nothing is remembered are synced where they are found", async (t) => {
  const cluster = new ShardCluster({ nodes: 7 });
  await using writer = cluster.store();
  const refs = await writeBlocks(writer, cluster, 3);
  for (const node of cluster.homesOf(present(refs[0])).slice(0, 2)) node.fail("put", "ENOSPC");
  refs.push(...(await writeBlocks(writer, cluster, 3)));
  for (const node of cluster.nodes) node.heal();
  await using other = cluster.store();
  await other.syncBlocks(refs);
  for (const ref of refs) {
    const durable = cluster.nodes.flatMap((node) =>
      node.shardsOf(ref).filter((id) => node.memory.secured.has(formatShardId(id))),
    );
    t.true(durable.length >= 5);
  }
});

test("one dead node doesn't fail fsync", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const refs = await writeBlocks(store, cluster, 4);
  present(cluster.nodes[5]).kill();
  await store.syncBlocks(refs);
  t.is(durableShards(cluster), 20);
});

test("when two nodes die between write and fsync the others get their shards", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const refs = await writeBlocks(store, cluster, 4);
  present(cluster.nodes[1]).kill();
  present(cluster.nodes[2]).kill();
  const { error } = await cluster.settle(store.syncBlocks(refs));
  t.is(error, undefined);
  t.is(durableShards(cluster), 24);
  // Each was encoded for the write and again to be healed.
  t.is(cluster.coding.encoded, 8);
  present(cluster.nodes[3]).kill();
  for (const ref of refs) {
    const target = new Uint8Array(ref.lengthBytes);
    await store.readBlock(ref, 0, target);
    t.true(sameBytes(target, blockBytes(1000, ref.slice)));
  }
});

test("a node that lost an unsynced shard is found out, its other shards are synced", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const refs = await writeBlocks(store, cluster, 3);
  const lost = present(refs[0]);
  const node = present(cluster.homesOf(lost)[0]);
  const id = present(node.shardsOf(lost)[0]);
  await node.memory.deleteMany([id]);
  await store.syncBlocks(refs);
  t.is(durableShards(cluster), 17);
  await cluster.clock.advance(1000);
  t.deepEqual(
    cluster.reports.map(({ kind, shard, node: at }) => [kind, formatShardId(shard), at]),
    [["missing", formatShardId(id), node.id]],
  );
});

test("a hung node stalls fsync for less than 2 s", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const refs = await writeBlocks(store, cluster, 3);
  present(cluster.nodes[0]).hang();
  const one = await cluster.settle(store.syncBlocks(refs));
  t.is(one.error, undefined);
  t.true(one.tookMs < 2000, `${one.tookMs} ms`);
  const writing = writeBlocks(store, cluster, 3);
  await cluster.settle(writing);
  const more = await writing;
  present(cluster.nodes[1]).hang();
  const two = await cluster.settle(store.syncBlocks(more));
  t.is(two.error, undefined);
  t.true(two.tookMs < 2000, `${two.tookMs} ms`);
});

test("a node whose disk alone is slow has its grace and no more", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const refs = await writeBlocks(store, cluster, 3);
  present(cluster.nodes[0]).hang("secure");
  const { error, tookMs } = await cluster.settle(store.syncBlocks(refs));
  t.is(error, undefined);
  t.true(tookMs >= 500 && tookMs < 2000, `${tookMs} ms`);
});

test("fsync is EIO when too few nodes can make the shards durable", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const refs = await writeBlocks(store, cluster, 1);
  for (const node of cluster.nodes.slice(0, 3)) node.kill();
  const { error } = await cluster.settle(store.syncBlocks(refs));
  t.true(isFsError(error, "EIO"));
});
