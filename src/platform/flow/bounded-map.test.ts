import test from "ava";
import { BoundedMap } from "./bounded-map.ts";

test("a bounded map forgets what was set longest ago", (t) => {
  const map = new BoundedMap<string, number>(2);
  map.set("a", 1);
  map.set("b", 2);
  map.set("a", 3);
  map.set("c", 4);
  t.deepEqual([map.get("a"), map.get("b"), map.get("c"), map.size], [3, undefined, 4, 2]);
});
