import test from "ava";
import { FakeClock } from "../../testing/fake-clock.ts";
import { GenerationMap } from "./generation-map.ts";

test("an entry lives for at least one span and is gone after two", async (t) => {
  const clock = new FakeClock();
  const map = new GenerationMap<string, number>(clock, 1000, 100);
  map.set("begin", 0);
  await clock.advance(900);
  map.set("a", 1);
  await clock.advance(1000);
  map.set("b", 2);
  t.deepEqual([map.get("a"), map.get("b")], [1, 2]);
  await clock.advance(1000);
  map.turn();
  t.deepEqual([map.get("a"), map.get("b")], [undefined, 2]);
});

test("after an idle span nothing is left of either generation", async (t) => {
  const clock = new FakeClock();
  const map = new GenerationMap<string, number>(clock, 1000, 100);
  map.set("a", 1);
  await clock.advance(2000);
  map.turn();
  t.is(map.get("a"), undefined);
});

test("too many entries end a generation early, and each end is told", (t) => {
  let turns = 0;
  const map = new GenerationMap<number, number>(new FakeClock(), 1000, 2, () => turns++);
  for (let key = 0; key < 5; key++) map.set(key, key);
  t.is(turns, 3);
  t.deepEqual(
    [0, 1, 2, 3, 4].map((key) => map.get(key)),
    [undefined, undefined, 2, 3, 4],
  );
});

test("what is deleted or cleared is gone from both generations", async (t) => {
  const clock = new FakeClock();
  const map = new GenerationMap<string, number>(clock, 1000, 100);
  for (const key of ["a", "b"]) map.set(key, 1);
  await clock.advance(1000);
  for (const key of ["a", "c"]) map.set(key, 2);
  map.delete("a");
  t.deepEqual([map.get("a"), map.get("b"), map.get("c")], [undefined, 1, 2]);
  map.clear();
  t.deepEqual([map.get("b"), map.get("c")], [undefined, undefined]);
});
