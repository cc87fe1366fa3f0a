import test from "ava";
import type { SliceId } from "../../domain/ids.ts";
import { SLICE_RANGE_SIZE } from "../../protocol/meta/limits.ts";
import { SliceAllocator } from "./slice-allocator.ts";

function turns(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test("slice ids are fetched ahead: only the first taker waits, each is given once", async (t) => {
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
