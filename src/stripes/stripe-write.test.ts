import test from "ava";
import { isFsError } from "../domain/errno.ts";
import type { BlockRef } from "../domain/layout.ts";
import { blockBytes, sameBytes, ShardCluster } from "../testing/shard/shard-cluster.ts";
import type { StripeBlockStore } from "./stripe-block-store.ts";
import { present } from "../testing/present.ts";

async function canBeRead(store: StripeBlockStore, ref: BlockRef, data: Uint8Array) {
  const target = new Uint8Array(ref.lengthBytes);
  await store.readBlock(ref, 0, target);
  return sameBytes(target, data);
}

function shardsHeld(cluster: ShardCluster): number[] {
  return cluster.nodes.map((node) => node.memory.ids.length);
}

test("a node that dies during a write is replaced and the deviation reported", async (t) => {
  const cluster = new ShardCluster({ nodes: 7 });
  await using store = cluster.store();
  const ref = cluster.newBlock(50_000);
  const data = blockBytes(50_000);
  const home = present(cluster.homesOf(ref)[3]);
  home.kill();
  const { error, tookMs } = await cluster.settle(store.putBlock(ref, data));
  t.is(error, undefined);
  t.true(tookMs < 100, `${tookMs} ms`);
  t.deepEqual(shardsHeld(cluster).sort(), [0, 1, 1, 1, 1, 1, 1]);
  t.true(await canBeRead(store, ref, data));
  await cluster.clock.advance(1000);
  t.deepEqual(
    cluster.reports.map(({ kind, shard }) => [kind, shard.slot]),
    [["misplaced", 3]],
  );
});

test("whichever two of six nodes are dead, writes stand on the other four", async (t) => {
  for (let first = 0; first < 6; first++) {
    for (let second = first + 1; second < 6; second++) {
      const cluster = new ShardCluster();
      await using store = cluster.store();
      const ref = cluster.newBlock(3000);
      const data = blockBytes(3000);
      present(cluster.nodes[first]).kill();
      present(cluster.nodes[second]).kill();
      await store.putBlock(ref, data);
      const held = shardsHeld(cluster);
      t.deepEqual(held.sort(), [0, 0, 1, 1, 2, 2]);
      t.true(await canBeRead(store, ref, data));
    }
  }
});

test("nodes known to be dead are passed over without putting too many shards on one", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  present(cluster.nodes[0]).kill();
  present(cluster.nodes[1]).kill();
  for (let count = 0; count < 200; count++) {
    await store.putBlock(cluster.newBlock(100), blockBytes(100));
  }
  t.true(present(cluster.nodes[0]).callsOf("put") <= 1);
  const total = shardsHeld(cluster).reduce((sum, held) => sum + held, 0);
  t.is(total, 1200);
});

test("a node that serves badly is taken back before a stripe is packed on too few", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const full = present(cluster.nodes[0]);
  const others = cluster.nodes.slice(1);
  full.fail("put", "ENOSPC", { times: 1 });
  await store.putBlock(cluster.newBlock(100), blockBytes(100));
  for (const node of others.slice(0, 2)) node.kill();
  await store.putBlock(cluster.newBlock(100), blockBytes(100));
  for (const node of others.slice(2, 3)) node.fail("put", "EIO");
  const ref = cluster.newBlock(100);
  await store.putBlock(ref, blockBytes(100));
  t.is(full.shardsOf(ref).length, 2);
});

test("a hung node stalls writes once, for less than 2 s, however many are under way", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  present(cluster.nodes[0]).hang();
  present(cluster.nodes[1]).hang();
  const writeMany = async (): Promise<void> => {
    const writes = Array.from({ length: 20 }, () =>
      store.putBlock(cluster.newBlock(1000), blockBytes(1000)),
    );
    await Promise.all(writes);
  };
  const first = await cluster.settle(writeMany());
  t.is(first.error, undefined);
  t.true(first.tookMs < 1500, `${first.tookMs} ms`);
  const second = await cluster.settle(writeMany());
  t.is(second.error, undefined);
  t.true(second.tookMs < 100, `${second.tookMs} ms`);
});

test("a node that takes no puts but answers otherwise is replaced within 2 s", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const ref = cluster.newBlock(1000);
  const data = blockBytes(1000);
  present(cluster.nodes[2]).hang("put");
  present(cluster.nodes[4]).hang("put");
  const { error, tookMs } = await cluster.settle(store.putBlock(ref, data));
  t.is(error, undefined);
  t.true(tookMs < 2000, `${tookMs} ms`);
  t.true(await canBeRead(store, ref, data));
});

test("when every node is slow nobody is replaced and the write succeeds", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const slow = cluster.clock.sleep(3000);
  for (const node of cluster.nodes) node.delay("put", slow);
  const { error, tookMs } = await cluster.settle(
    store.putBlock(cluster.newBlock(1000), blockBytes(1000)),
  );
  t.is(error, undefined);
  t.true(tookMs >= 3000);
  t.deepEqual(shardsHeld(cluster), [1, 1, 1, 1, 1, 1]);
  await cluster.clock.advance(1000);
  t.deepEqual(cluster.reports, []);
});

test("a full node is passed over, and asked again a while later", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const full = present(cluster.nodes[1]);
  full.fail("put", "ENOSPC");
  await store.putBlock(cluster.newBlock(1000), blockBytes(1000));
  await store.putBlock(cluster.newBlock(1000), blockBytes(1000));
  t.is(full.callsOf("put"), 1);
  full.heal();
  await cluster.clock.advance(1100);
  await store.putBlock(cluster.newBlock(1000), blockBytes(1000));
  t.is(full.callsOf("put"), 2);
});

test("when all nodes are full the error is ENOSPC, at once and again", async (t) => {
  const cluster = new ShardCluster({ memory: { capacityBytes: 100 } });
  await using store = cluster.store();
  for (let round = 0; round < 2; round++) {
    const { error, tookMs } = await cluster.settle(
      store.putBlock(cluster.newBlock(1000), blockBytes(1000)),
    );
    t.true(isFsError(error, "ENOSPC"), String(error));
    t.true(tookMs < 100, `${tookMs} ms`);
  }
});

test("five of six nodes dead is EIO while the map calls them up, not afterwards", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const ref = cluster.newBlock(1000);
  for (const node of cluster.nodes.slice(1)) node.kill();
  const { error } = await cluster.settle(store.putBlock(ref, blockBytes(1000)));
  t.true(isFsError(error, "EIO"));
  for (const node of cluster.nodes.slice(1)) cluster.setState(node.id, "down");
  await store.putBlock(ref, blockBytes(1000));
  t.deepEqual(shardsHeld(cluster), [6, 0, 0, 0, 0, 0]);
});

test("with three nodes of which one dies writes go on", async (t) => {
  const cluster = new ShardCluster({ nodes: 3 });
  await using store = cluster.store();
  const ref = cluster.newBlock(1000);
  const data = blockBytes(1000);
  present(cluster.nodes[1]).kill();
  await store.putBlock(ref, data);
  t.deepEqual(shardsHeld(cluster), [3, 0, 3]);
  t.true(await canBeRead(store, ref, data));
});

test("a shard garbled on its way is sent again", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  present(cluster.nodes[0]).fail("put", "EBADMSG", { times: 1 });
  await store.putBlock(cluster.newBlock(1000), blockBytes(1000));
  t.deepEqual(shardsHeld(cluster), [1, 1, 1, 1, 1, 1]);
});

test("a lost connection to a living node is no reason to replace it", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  present(cluster.nodes[0]).fail("put", "ECONNREFUSED", { times: 1 });
  await store.putBlock(cluster.newBlock(1000), blockBytes(1000));
  t.deepEqual(shardsHeld(cluster), [1, 1, 1, 1, 1, 1]);
  await cluster.clock.advance(1000);
  t.deepEqual(cluster.reports, []);
});

test("other bytes under a block's name are EIO, never a mixed stripe", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  const ref = cluster.newBlock(1000);
  await store.putBlock(ref, blockBytes(1000, 1));
  const error = await t.throwsAsync(store.putBlock(ref, blockBytes(1000, 2)));
  t.true(isFsError(error, "EIO"));
  t.true(await canBeRead(store, ref, blockBytes(1000, 1)));
});

/**
 * How many of `count` blocks are being put while the first node answers nothing, once `expected`
 * are.
 */
async function putsInFlight(lengthBytes: number, count: number, expected: number): Promise<number> {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  let answer = (): void => undefined;
  const late = new Promise<void>((resolve) => (answer = resolve));
  const slow = present(cluster.nodes[0]);
  slow.delay("put", late);
  const data = blockBytes(lengthBytes);
  const writes = Array.from({ length: count }, () =>
    store.putBlock(cluster.newBlock(lengthBytes), data),
  );
  while (slow.callsOf("put") < expected) await new Promise(setImmediate);
  for (let round = 0; round < 1000; round++) await new Promise(setImmediate);
  const begun = slow.callsOf("put");
  answer();
  await Promise.all(writes);
  return begun;
}

test("64 small blocks are being written at a time, and of whole ones 32 MiB", async (t) => {
  t.is(await putsInFlight(1000, 80, 64), 64);
  t.is(await putsInFlight(1024 * 1024, 36, 32), 32);
});

test("a cancelled write rejects with the reason", async (t) => {
  const cluster = new ShardCluster();
  await using store = cluster.store();
  present(cluster.nodes[0]).hang("put");
  const controller = new AbortController();
  const writing = store.putBlock(cluster.newBlock(1000), blockBytes(1000), controller.signal);
  const reason = new Error("writer left");
  await cluster.clock.advance(50);
  controller.abort(reason);
  t.is((await cluster.settle(writing)).error, reason);
});
