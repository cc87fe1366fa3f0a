// Tests of a signal that many heed.
import test from "ava";
import { nextTurn, systemClock } from "../clock.ts";
import { sharedAbort } from "./abort.ts";

test("a hundred who wait for one signal are no leak, and all are told", async (t) => {
  const warnings: Error[] = [];
  const warned = (warning: Error): unknown => warnings.push(warning);
  process.on("warning", warned);
  const stop = sharedAbort();
  let told = 0;
  for (let waiter = 0; waiter < 100; waiter++) {
    stop.signal.addEventListener("abort", () => (told += 1), { once: true });
  }
  await nextTurn(systemClock);
  process.off("warning", warned);
  stop.abort();
  t.deepEqual(warnings, []);
  t.is(told, 100);
});
