import test from "ava";
import { deferred } from "./deferred.ts";
import { KeyedTurns, Turns } from "./turns.ts";

test("turns come one after the other, also behind one that failed", async (t) => {
  const turns = new Turns();
  const order: string[] = [];
  const first = deferred();
  const failing = turns.run(async () => {
    order.push("first");
    await first.promise;
    throw new Error("failed");
  });
  t.deepEqual(order, ["first"], "at once when nobody is before it");
  const second = turns.run(async () => order.push("second"));
  t.true(turns.busy);
  await new Promise(setImmediate);
  t.deepEqual(order, ["first"]);
  first.resolve();
  await t.throwsAsync(failing, { message: "failed" });
  await second;
  t.deepEqual(order, ["first", "second"]);
  t.false(turns.busy);
});

test("turns of one key exclude each other, those of two keys don't", async (t) => {
  const turns = new KeyedTurns<string>();
  const running = new Map<string, number>();
  let most = 0;
  let together = 0;
  const work = (key: string) => async (): Promise<void> => {
    running.set(key, (running.get(key) ?? 0) + 1);
    most = Math.max(most, running.get(key) ?? 0);
    together = Math.max(together, (running.get("a") ?? 0) + (running.get("b") ?? 0));
    for (let tick = 0; tick < most + 2; tick++) await Promise.resolve();
    running.set(key, (running.get(key) ?? 0) - 1);
  };
  // Each chain comes back the moment that its turn has ended, when the key may just be let go.
  const chain = async (key: string): Promise<void> => {
    for (let round = 0; round < 50; round++) await turns.run(key, work(key));
  };
  await Promise.all(["a", "a", "a", "b", "b"].map(chain));
  t.is(most, 1);
  t.is(together, 2);
});
