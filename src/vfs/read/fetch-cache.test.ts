import test from "ava";
import { FsError } from "../../domain/errno.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { BufferPool } from "../buffer-pool.ts";
import { FetchCache } from "./fetch-cache.ts";

const SIZE = 4096;

function fill(value: number): (target: Uint8Array) => Promise<void> {
  return (target) => {
    target.fill(value);
    return Promise.resolve();
  };
}

function setUp(entries: number): { cache: FetchCache; pool: BufferPool; clock: FakeClock } {
  const clock = new FakeClock();
  const pool = new BufferPool(clock, 1 << 20);
  return { cache: new FetchCache(pool, entries * SIZE), pool, clock };
}

test("the least recently used entry makes room", async (t) => {
  const { cache } = setUp(3);
  for (const key of [1, 2, 3]) await cache.fetch([key], SIZE, fill(key))?.done;
  cache.get(1);
  await cache.fetch([4], SIZE, fill(4))?.done;
  t.deepEqual(
    [1, 2, 3, 4].map((key) => cache.has(key)),
    [true, false, true, true],
  );
  t.is(cache.usedBytes, 3 * SIZE);
});

test("an evicted buffer is used again only after the event loop has turned", async (t) => {
  const { cache, pool, clock } = setUp(1);
  const first = cache.fetch([1], SIZE, fill(1));
  await first?.done;
  const view = first?.view;
  await cache.fetch([2], SIZE, fill(2))?.done;
  t.is(view?.[0], 1);
  t.is(pool.allocations, 2);
  await clock.advance(1);
  await cache.fetch([3], SIZE, fill(3))?.done;
  t.is(pool.allocations, 2);
});

test("a lent buffer is never used again, a pinned one not even evicted", async (t) => {
  const { cache, pool, clock } = setUp(2);
  const lent = cache.fetch([1], SIZE, fill(1));
  const pinned = cache.fetch([2], SIZE, fill(2));
  await Promise.all([lent?.done, pinned?.done]);
  const view = lent?.view;
  if (lent) lent.lenders = 1;
  if (pinned) pinned.pins = 1;
  for (const key of [3, 4, 5, 6]) {
    await cache.fetch([key], SIZE, fill(key))?.done;
    await clock.advance(1);
  }
  t.true(view?.every((byte) => byte === 1));
  t.true(cache.has(2));
  t.is(pinned?.view[0], 2);
  t.is(pool.allocations, 4, "one for the lent buffer, and three in turn");
});

test("there is no room while everything is being fetched", async (t) => {
  const { cache } = setUp(1);
  let finish: () => void = () => undefined;
  const slow = cache.fetch([1], SIZE, () => new Promise((resolve) => (finish = resolve)));
  t.is(cache.fetch([2], SIZE, fill(2)), undefined);
  t.is(cache.fetchingBytes, SIZE);
  finish();
  await slow?.done;
  t.is(cache.fetchingBytes, 0);
  t.not(cache.fetch([2], SIZE, fill(2)), undefined);
});

test("a failed fetch leaves nothing behind, and its buffer isn't used again", async (t) => {
  const { cache, pool, clock } = setUp(1);
  const failed = cache.fetch([1, 2], SIZE, () => Promise.reject(new FsError("EIO", "injected")));
  await t.throwsAsync(async () => failed?.done, { code: "EIO" });
  t.false(cache.has(1) || cache.has(2));
  t.is(cache.usedBytes, 0);
  await clock.advance(1);
  await cache.fetch([1], SIZE, fill(1))?.done;
  t.is(pool.allocations, 2);
});
