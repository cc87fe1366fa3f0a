import test from "ava";
import { isFsError } from "../domain/errno.ts";
import type { ShardId } from "../domain/ids.ts";
import { DAMAGE_REPEAT_AFTER_MS } from "./limits.ts";
import type { BlockRef } from "../domain/layout.ts";
import { CELL_BYTES } from "../domain/format.ts";
import { blockBytes, sameBytes, ShardCluster } from "../testing/shard/shard-cluster.ts";
import type { StripeBlockStore } from "./stripe-block-store.ts";
import { present } from "../testing/present.ts";

async function write(store: StripeBlockStore, cluster: ShardCluster, lengthBytes: number) {
  const ref = cluster.newBlock(lengthBytes);
  const data = blockBytes(lengthBytes, ref.slice);
  await store.putBlock(ref, data);
  return { ref, data };
}

async function read(store: StripeBlockStore, ref: BlockRef): Promise<Uint8Array> {
  const target = new Uint8Array(ref.lengthBytes);
  await store.readBlock(ref, 0, target);
  return target;
}

for (const lengthBytes of [1, 7, 33, 1000, 4 * CELL_BYTES, 5 * CELL_BYTES + 13, 1_000_003]) {
  test(`a block of ${lengthBytes} bytes comes back from six nodes`, async (t) => {
    const cluster = new ShardCluster();
    await using store = cluster.store();
    const { ref, data } = await write(store, cluster, lengthBytes);
    t.true(sameBytes(await read(store, ref), data));
    t.is(cluster.coding.rebuilt, 0);
    t.deepEqual(
      cluster.nodes.map((node) => node.memory.ids.length),
      [1, 1, 1, 1, 1, 1],
    );
  });
}

test("a healthy read asks for the data shards alone", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const { ref } = await write(store, cluster, 400_000);
  await read(store, ref);
  t.deepEqual(
    cluster.homesOf(ref).map((node) => node.callsOf("get")),
    [1, 1, 1, 1, 0, 0],
  );
});

test("a range in one cell asks one node for that cell alone", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const { ref, data } = await write(store, cluster, 16 * CELL_BYTES);
  const target = new Uint8Array(100);
  await store.readBlock(ref, 5 * CELL_BYTES + 50, target);
  t.deepEqual(target, data.subarray(5 * CELL_BYTES + 50, 5 * CELL_BYTES + 150));
  t.is(cluster.callsOf("get"), 1);
});

test("whichever two of six nodes are dead, blocks and ranges are read right", async (t) => {
  const cluster = new ShardCluster();
  await using writer = cluster.store();
  const { ref, data } = await write(writer, cluster, 9 * CELL_BYTES + 11);
  for (let first = 0; first < 6; first++) {
    for (let second = first + 1; second < 6; second++) {
      present(cluster.nodes[first]).kill();
      present(cluster.nodes[second]).kill();
      await using store = cluster.store();
      t.true(sameBytes(await read(store, ref), data));
      const range = new Uint8Array(3 * CELL_BYTES);
      await store.readBlock(ref, 12_345, range);
      t.true(sameBytes(range, data.subarray(12_345, 12_345 + range.length)));
      for (const node of cluster.nodes) node.heal();
    }
  }
});

test("dead nodes cost one failed request each, not one a read", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const { ref } = await write(store, cluster, 1000);
  const dead = cluster.homesOf(ref).slice(0, 2);
  for (const node of dead) node.kill();
  for (let round = 0; round < 10; round++) await read(store, ref);
  t.deepEqual(
    dead.map((node) => node.callsOf("get")),
    [1, 1],
  );
});

test("two hung nodes stall the first read for less than 2 s, later ones not at all", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const { ref, data } = await write(store, cluster, 100_000);
  for (const node of cluster.homesOf(ref).slice(0, 2)) node.hang();
  const target = new Uint8Array(ref.lengthBytes);
  const first = await cluster.settle(store.readBlock(ref, 0, target));
  t.is(first.error, undefined);
  t.true(first.tookMs < 500, `${first.tookMs} ms`);
  t.true(sameBytes(target, data));
  const second = await cluster.settle(store.readBlock(ref, 0, target));
  t.is(second.error, undefined);
  t.true(second.tookMs < 100, `${second.tookMs} ms`);
});

test("three dead nodes give EIO at once, and the message names them", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const { ref } = await write(store, cluster, 1000);
  const dead = cluster.homesOf(ref).slice(1, 4);
  for (const node of dead) node.kill();
  const { error, tookMs } = await cluster.settle(read(store, ref));
  t.true(isFsError(error, "EIO"));
  for (const node of dead) t.true((error as Error).message.includes(node.id));
  t.true(tookMs < 500, `${tookMs} ms`);
});

test("three hung nodes give EIO within 2 s, and all is well when they go on", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const { ref, data } = await write(store, cluster, 1000);
  for (const node of cluster.nodes.slice(0, 3)) node.hang();
  const first = await cluster.settle(read(store, ref));
  t.true(isFsError(first.error, "EIO"));
  t.true(first.tookMs < 2000, `${first.tookMs} ms`);
  const second = await cluster.settle(read(store, ref));
  t.true(isFsError(second.error, "EIO"));
  t.true(second.tookMs < 1100, `${second.tookMs} ms`);
  for (const node of cluster.nodes) node.heal();
  await cluster.clock.advance(2000);
  t.true(sameBytes(await read(store, ref), data));
  t.is(cluster.coding.rebuilt, 0);
});

test("bytes that don't match their checksum are never returned, and are reported", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const { ref, data } = await write(store, cluster, 300_000);
  const spoilt = present(cluster.homesOf(ref)[0]);
  spoilt.corrupt();
  t.true(sameBytes(await read(store, ref), data));
  await cluster.clock.advance(2000);
  t.deepEqual(
    cluster.reports.map(({ kind, node, shard }) => [kind, node, shard.slot]),
    [["corrupt", spoilt.id, 0]],
  );
});

test("the right bytes of another shard are never returned, and are reported", async (t) => {
  const cluster = new ShardCluster({ nodes: 1 });
  await using store = cluster.store();
  const { ref, data } = await write(store, cluster, 300_000);
  const { ref: other } = await write(store, cluster, 300_000);
  const node = present(cluster.nodes[0]);
  const isFirst = ({ slot }: ShardId): boolean => slot === 0;
  for (const mistaken of [
    present(node.shardsOf(other).find(isFirst)),
    present(node.shardsOf(ref).find(({ slot }) => slot === 1)),
  ]) {
    node.mistake(() => mistaken, { where: isFirst, times: 1 });
    t.true(sameBytes(await read(store, ref), data));
    await cluster.clock.advance(2000);
    const reports = cluster.reports.splice(0);
    t.deepEqual(
      reports.map(({ kind, shard }) => [kind, shard.slice, shard.slot]),
      [["corrupt", ref.slice, 0]],
    );
    await cluster.clock.advance(DAMAGE_REPEAT_AFTER_MS);
  }
});

test("a shard missing at home is decoded and reported missing, once", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const { ref, data } = await write(store, cluster, 300_000);
  const home = present(cluster.homesOf(ref)[2]);
  await home.memory.deleteMany(home.shardsOf(ref));
  t.true(sameBytes(await read(store, ref), data));
  t.true(sameBytes(await read(store, ref), data));
  await cluster.clock.advance(2000);
  t.deepEqual(
    cluster.reports.map(({ kind, node, shard }) => [kind, node, shard.slot]),
    [["missing", home.id, 2]],
  );
});

test("blocks written under an older map are read where that map put them", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const blocks = [];
  for (let count = 0; count < 20; count++) blocks.push(await write(store, cluster, 5000));
  const joined = cluster.join();
  for (const { ref, data } of blocks) t.true(sameBytes(await read(store, ref), data));
  t.true(joined.callsOf("get") > 0);
  t.is(cluster.coding.rebuilt, 0);
  await cluster.clock.advance(2000);
  t.deepEqual(cluster.reports, []);
});

test("shards that stand where no map says are found by asking every node", async (t) => {
  const cluster = new ShardCluster({ nodes: 9 });
  await using writer = cluster.store();
  const ref = cluster.newBlock(2000);
  const data = blockBytes(2000);
  for (const node of cluster.homesOf(ref).slice(0, 3)) node.fail("put", "ENOSPC");
  await writer.putBlock(ref, data);
  for (const node of cluster.nodes) node.heal();
  await using reader = cluster.store();
  t.true(sameBytes(await read(reader, ref), data));
  t.is(cluster.callsOf("headMany"), 9);
  t.true(sameBytes(await read(reader, ref), data));
  t.is(cluster.callsOf("headMany"), 9);
});

test("a block that nobody has is EIO, not zeroes", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const error = await t.throwsAsync(read(store, cluster.newBlock(1000)));
  t.true(isFsError(error, "EIO"));
  await cluster.clock.advance(2000);
  t.deepEqual(cluster.reports, []);
});

test("a slow answer that comes after a hedge doesn't touch the reader's buffer", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const { ref, data } = await write(store, cluster, 400_000);
  let answer = (): void => undefined;
  const late = new Promise<void>((resolve) => (answer = resolve));
  present(cluster.homesOf(ref)[1]).delay("get", late);
  const target = new Uint8Array(ref.lengthBytes);
  const { error, tookMs } = await cluster.settle(store.readBlock(ref, 0, target));
  t.is(error, undefined);
  t.true(tookMs >= 150 && tookMs < 500, `${tookMs} ms`);
  t.true(sameBytes(target, data));
  t.is(cluster.callsOf("get"), 5);
  target.fill(0xee);
  answer();
  await cluster.clock.advance(1000);
  t.true(target.every((byte) => byte === 0xee));
});

test("a cancelled read rejects with the reason and lets go of its buffer", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const { ref } = await write(store, cluster, 400_000);
  for (const node of cluster.nodes) node.hang("get");
  const controller = new AbortController();
  const reading = store.readBlock(ref, 0, new Uint8Array(ref.lengthBytes), controller.signal);
  const reason = new Error("reader left");
  controller.abort(reason);
  t.is((await cluster.settle(reading)).error, reason);
});

test("one node and three nodes hold stripes too, three survive the loss of one", async (t) => {
  for (const nodes of [1, 3]) {
    const cluster = new ShardCluster({ nodes });
    await using store = cluster.store();
    const { ref, data } = await write(store, cluster, 70_000);
    t.true(sameBytes(await read(store, ref), data));
    if (nodes === 1) continue;
    for (const node of cluster.nodes) {
      node.kill();
      await using reader = cluster.store();
      t.true(sameBytes(await read(reader, ref), data));
      node.heal();
    }
  }
});

test("nodes that the map calls down are not waited for", async (t) => {
  const cluster = new ShardCluster();
  await using writer = cluster.store();
  const { ref, data } = await write(writer, cluster, 1000);
  for (const node of cluster.homesOf(ref).slice(0, 2)) {
    node.hang();
    cluster.setState(node.id, "down");
  }
  await using store = cluster.store();
  const target = new Uint8Array(ref.lengthBytes);
  const { error, tookMs } = await cluster.settle(store.readBlock(ref, 0, target));
  t.is(error, undefined);
  t.true(sameBytes(target, data));
  t.true(tookMs < 100, `${tookMs} ms`);
});

test("a node that answers but never with a shard is asked for them more seldom", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const { ref, data } = await write(store, cluster, 100_000);
  const bad = present(cluster.homesOf(ref)[0]);
  bad.hang("get");
  const target = new Uint8Array(ref.lengthBytes);
  for (let second = 0; second < 40; second++) {
    const { error } = await cluster.settle(store.readBlock(ref, 0, target));
    t.is(error, undefined);
    t.true(sameBytes(target, data));
    await cluster.clock.advance(1000);
  }
  t.true(bad.callsOf("get") <= 6, `${bad.callsOf("get")} requests`);
});

test("when every node is slow a read waits for them", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const { ref, data } = await write(store, cluster, 100_000);
  const slow = cluster.clock.sleep(3000);
  for (const node of cluster.nodes) node.delay("get", slow);
  const target = new Uint8Array(ref.lengthBytes);
  for (let round = 0; round < 2; round++) {
    const { error } = await cluster.settle(store.readBlock(ref, 0, target));
    t.is(error, undefined);
    t.true(sameBytes(target, data));
  }
});

test("a shard that was found astray and has gone home is found at home", async (t) => {
  const cluster = new ShardCluster({ nodes: 7 });
  await using store = cluster.store();
  const refused = present(cluster.nodes[0]);
  refused.fail("put", "EIO");
  const blocks = [];
  for (let count = 0; count < 20; count++) blocks.push(await write(store, cluster, 3000));
  refused.heal();
  await using repair = cluster.store();
  for (const { ref, data } of blocks) {
    await repair.putBlock(ref, data);
    const homes = cluster.homesOf(ref);
    for (const node of cluster.nodes) {
      const strays = node.shardsOf(ref).filter((id) => homes[id.slot] !== node);
      await node.memory.deleteMany(strays);
    }
  }
  for (const { ref, data } of blocks) t.true(sameBytes(await read(store, ref), data));
  const before = cluster.callsOf("get");
  for (const { ref } of blocks) await read(store, ref);
  t.is(cluster.callsOf("get") - before, 80);
});
