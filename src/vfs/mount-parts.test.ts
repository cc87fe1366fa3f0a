// The small parts that a mount is put together from.
import test from "ava";
import { FsError } from "../domain/errno.ts";
import type { Ino, PoolId, SliceId } from "../domain/ids.ts";
import { SLICE_RANGE_SIZE } from "../domain/limits.ts";
import { silentLog } from "../observability/log.ts";
import { MemoryBlockStore } from "../testing/block-memory.ts";
import { ExtentCache, type CachedExtents } from "./extent-cache.ts";
import { InodeLock } from "./inode-lock.ts";
import { SliceAllocator } from "./slice-allocator.ts";
import { UnsyncedBlocks } from "./unsynced-blocks.ts";

function turns(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test("slice ids are fetched ahead, so that only the first taker waits, and each is given once", async (t) => {
  let fetched = 0;
  const allocator = new SliceAllocator(async () => {
    await turns();
    fetched += 1;
    return { first: (fetched * 1000) as SliceId, count: SLICE_RANGE_SIZE };
  });
  const seen = new Set<number>([await allocator.take()]);
  for (let count = 1; count < 3000; count += 1) {
    const id = allocator.take();
    t.is(typeof id, "number");
    seen.add(await id);
    if (count % 50 === 0) await turns().then(turns);
  }
  t.is(seen.size, 3000);
});

test("takers that come together while no id is left all get one of their own", async (t) => {
  let next = 0;
  const allocator = new SliceAllocator(async () => {
    await turns();
    next += 3;
    return { first: next as SliceId, count: 3 };
  });
  const ids = await Promise.all(Array.from({ length: 10 }, async () => allocator.take()));
  t.is(new Set(ids).size, 10);
});

test("ids of a lost session are not given any more, not even those on their way", async (t) => {
  let first = 0;
  const allocator = new SliceAllocator(async () => {
    first += 1000;
    const range = { first: first as SliceId, count: 100 };
    await turns();
    return range;
  });
  const before = allocator.take();
  allocator.reset();
  t.true((await allocator.take()) >= 2000);
  t.true((await before) >= 2000);
});

test("exclusive holders wait for sharers and keep later ones out, in order of arrival", async (t) => {
  const lock = new InodeLock();
  const order: string[] = [];
  const enter = (name: string) => async (): Promise<void> => {
    order.push(`${name} in`);
    await turns();
    order.push(`${name} out`);
  };
  t.true(lock.open);
  await Promise.all([
    lock.shared(enter("a")),
    lock.shared(enter("b")),
    lock.exclusive(enter("X")),
    lock.shared(enter("c")),
  ]);
  t.deepEqual(order, ["a in", "b in", "a out", "b out", "X in", "X out", "c in", "c out"]);
  t.true(lock.open);
});

test("a body that fails lets go of the lock", async (t) => {
  const lock = new InodeLock();
  await t.throwsAsync(lock.exclusive(() => Promise.reject(new Error("x"))));
  t.true(lock.open);
});

test("extent lists beyond the budget are dropped, oldest first", (t) => {
  const dropped: number[] = [];
  const cache = new ExtentCache(100);
  const entry = (number: number, weightBytes: number): CachedExtents => ({
    weightBytes,
    drop: () => dropped.push(number),
  });
  const first = entry(1, 40);
  cache.keep(first);
  cache.keep(entry(2, 40));
  cache.keep(first);
  cache.keep(entry(3, 40));
  t.deepEqual(dropped, [2]);
  cache.keep(entry(4, 1000));
  t.deepEqual(dropped, [2, 1, 3]);
  t.is(cache.totalBytes, 1000);
});

test("blocks past the bound are made durable without being asked for", async (t) => {
  const store = new MemoryBlockStore();
  const unsynced = new UnsyncedBlocks(store, silentLog, 10);
  for (let index = 0; index < 11; index += 1) {
    const slice = (index + 1) as SliceId;
    unsynced.add((index < 5 ? 1 : 2) as Ino, {
      pool: 1 as PoolId,
      slice,
      index: 0,
      lengthBytes: 1,
    });
  }
  await turns();
  t.is(store.synced.size, 5);
  t.is(unsynced.count, 6);
});

test("a sync waits for what another one is making durable, and does it itself if that fails", async (t) => {
  const store = new MemoryBlockStore();
  const unsynced = new UnsyncedBlocks(store, silentLog, 10);
  const ino = 1 as Ino;
  unsynced.add(ino, { pool: 1 as PoolId, slice: 1 as SliceId, index: 0, lengthBytes: 1 });
  let calls = 0;
  store.onSync = async () => {
    calls += 1;
    await turns();
    if (calls === 1) throw new FsError("EIO", "injected");
  };
  const first = unsynced.sync(ino);
  const second = unsynced.syncAll();
  await t.throwsAsync(first, { code: "EIO" });
  await second;
  t.is(calls, 2);
  t.is(store.synced.size, 1);
});
