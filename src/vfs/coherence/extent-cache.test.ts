import test from "ava";
import { ExtentCache, type CachedExtents } from "./extent-cache.ts";

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
  cache.keep(entry(5, 1));
  t.deepEqual(dropped, [2, 1, 3, 4], "one that is over the budget alone stays until the next");
});
