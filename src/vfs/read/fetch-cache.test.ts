import test from "ava";
import { FsError } from "../../domain/errno.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { present } from "../../testing/present.ts";
import { BufferPool } from "../buffer-pool.ts";
import { FetchCache } from "./fetch-cache.ts";

const SIZE = 4096;

function fill(value: number): (target: Uint8Array) => Promise<void> {
  return (target) => {
    target.fill(value);
    return Promise.resolve();
  };
}

interface Fixture {
  cache: FetchCache;
  clock: FakeClock;
  /** Begins a fetch, for which there must be room. */
  readonly fetch: (key: number, fetching?: Parameters<FetchCache["fetch"]>[2]) => Fetched;
}

type Fetched = NonNullable<ReturnType<FetchCache["fetch"]>>;

function setUp(entries: number): Fixture {
  const clock = new FakeClock();
  const cache = new FetchCache(new BufferPool(clock, 1 << 20), entries * SIZE);
  const fetch: Fixture["fetch"] = (key, fetching = fill(key)) =>
    present(cache.fetch([key], SIZE, fetching));
  return { cache, clock, fetch };
}

test("the least recently used entry makes room", async (t) => {
  const { cache, fetch } = setUp(3);
  for (const key of [1, 2, 3]) await fetch(key).done;
  cache.get(1);
  await fetch(4).done;
  t.deepEqual(
    [1, 2, 3, 4].map((key) => cache.has(key)),
    [true, false, true, true],
  );
});

test("an evicted buffer is used again only after the event loop has turned", async (t) => {
  const { clock, fetch } = setUp(1);
  const { view, done } = fetch(1);
  await done;
  const second = fetch(2);
  await second.done;
  t.is(view[0], 1);
  t.not(second.view.buffer, view.buffer);
  await clock.advance(1);
  const third = fetch(3);
  await third.done;
  t.is(third.view.buffer, view.buffer);
});

test("a lent buffer is never used again, a pinned one not even evicted", async (t) => {
  const { cache, clock, fetch } = setUp(2);
  const [lent, pinned] = [fetch(1), fetch(2)];
  await Promise.all([lent.done, pinned.done]);
  const { view } = lent;
  lent.lenders = 1;
  pinned.pins = 1;
  const buffers = new Set<ArrayBufferLike>();
  for (const key of [3, 4, 5, 6]) {
    const entry = fetch(key);
    await entry.done;
    buffers.add(entry.view.buffer);
    await clock.advance(1);
  }
  t.true(view.every((byte) => byte === 1));
  t.true(cache.has(2));
  t.is(pinned.view[0], 2);
  t.false(buffers.has(view.buffer));
  t.is(buffers.size, 2, "the others are used in turn");
});

test("there is no room while everything is being fetched", async (t) => {
  const { cache, fetch } = setUp(1);
  let finish: () => void = () => undefined;
  const slow = fetch(1, () => new Promise((resolve) => (finish = resolve)));
  t.is(cache.fetch([2], SIZE, fill(2)), undefined);
  t.is(cache.fetchingBytes, SIZE);
  finish();
  await slow.done;
  t.is(cache.fetchingBytes, 0);
  t.not(cache.fetch([2], SIZE, fill(2)), undefined);
});

test("a failed fetch leaves nothing behind, and its buffer isn't used again", async (t) => {
  const { cache, clock, fetch } = setUp(1);
  const failing = (): Promise<void> => Promise.reject(new FsError("EIO", "injected"));
  const failed = present(cache.fetch([1, 2], SIZE, failing));
  const { buffer } = failed.view;
  await t.throwsAsync(failed.done, { code: "EIO" });
  t.false(cache.has(1) || cache.has(2));
  await clock.advance(1);
  t.not(fetch(1).view.buffer, buffer);
});
