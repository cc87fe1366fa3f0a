import test from "ava";
import { withDemoLock } from "./demo-lock.ts";

test("changes of one cluster come one after the other, those of two don't wait", async (t) => {
  const events: string[] = [];
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const name = `/lock-test-${process.pid}`;
  const first = withDemoLock(name, async () => {
    events.push("first begins");
    await held;
    events.push("first ends");
  });
  const second = withDemoLock(name, async () => {
    events.push("second");
  });
  await withDemoLock(`${name}-other`, async () => {
    events.push("other");
  });
  release();
  await Promise.all([first, second]);
  t.deepEqual(events, ["first begins", "other", "first ends", "second"]);
});

test("a failure inside frees the lock", async (t) => {
  const name = `/lock-test-failing-${process.pid}`;
  await t.throwsAsync(
    withDemoLock(name, () => Promise.reject(new Error("inside"))),
    {
      message: "inside",
    },
  );
  t.is(await withDemoLock(name, () => Promise.resolve("again")), "again");
});
