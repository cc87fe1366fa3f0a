import test from "ava";
import { FakeClock } from "../testing/fake-clock.ts";
import { deadline } from "./deadline.ts";

test("a deadline aborts with a TimeoutError when its time has come, not before", async (t) => {
  const clock = new FakeClock();
  using limit = deadline(clock, 100);
  await clock.advance(99);
  t.false(limit.signal.aborted);
  await clock.advance(1);
  t.true(limit.signal.aborted);
  t.is((limit.signal.reason as DOMException).name, "TimeoutError");
});

test("a deadline that was disposed of never aborts", async (t) => {
  const clock = new FakeClock();
  let signal: AbortSignal;
  {
    using limit = deadline(clock, 100);
    ({ signal } = limit);
  }
  await clock.advance(1000);
  t.false(signal.aborted);
});
