import test from "ava";
import { present } from "../../testing/present.ts";
import { WorkLimit } from "./work-limit.ts";

test("work waits until its weight fits, first come first served", async (t) => {
  const limit = new WorkLimit(3);
  const order: string[] = [];
  const ends = new Map<string, () => void>();
  const work = (name: string) => async (): Promise<void> => {
    order.push(name);
    await new Promise<void>((resolve) => ends.set(name, resolve));
  };
  const all = [
    limit.run(2, undefined, work("a")),
    limit.run(2, undefined, work("b")),
    limit.run(1, undefined, work("c")),
    limit.run(9, undefined, work("d")),
  ];
  await new Promise(setImmediate);
  t.deepEqual(order, ["a"]);
  for (const name of ["a", "b", "c", "d"]) {
    present(ends.get(name))();
    await new Promise(setImmediate);
  }
  await Promise.all(all);
  t.deepEqual(order, ["a", "b", "c", "d"]);
});

test("work that fails gives its share back, and cancelled waiting takes none", async (t) => {
  const limit = new WorkLimit(1);
  await t.throwsAsync(limit.run(1, undefined, () => Promise.reject(new Error("failed"))));
  let end = (): void => undefined;
  const running = limit.run(1, undefined, () => new Promise<void>((resolve) => (end = resolve)));
  const controller = new AbortController();
  const waiting = limit.run(1, controller.signal, async () => t.fail("was cancelled"));
  const reason = new Error("left");
  controller.abort(reason);
  t.is(await t.throwsAsync(waiting), reason);
  end();
  await running;
  t.is(await limit.run(1, undefined, async () => 7), 7);
});

test("beyond the bound of those who wait the next is refused", async (t) => {
  const refusal = new Error("too many");
  const limit = new WorkLimit(1, { maxWaiting: 1, refusal: () => refusal });
  let end = (): void => undefined;
  const running = limit.run(1, undefined, () => new Promise<void>((resolve) => (end = resolve)));
  const waiting = limit.run(1, undefined, async () => "waited");
  t.is(await t.throwsAsync(limit.run(1, undefined, async () => undefined)), refusal);
  end();
  await running;
  t.is(await waiting, "waited");
});

test("work whose signal was aborted before doesn't wait", async (t) => {
  const limit = new WorkLimit(1);
  void limit.run(1, undefined, () => new Promise<void>(() => undefined));
  const reason = new Error("left");
  const late = limit.run(1, AbortSignal.abort(reason), async () => t.fail("was cancelled"));
  t.is(await t.throwsAsync(late), reason);
});

test("one cancelled at the head of the line lets lighter work behind it through", async (t) => {
  const limit = new WorkLimit(2);
  void limit.run(1, undefined, () => new Promise<void>(() => undefined));
  const controller = new AbortController();
  const heavy = limit.run(2, controller.signal, async () => t.fail("was cancelled"));
  const light = limit.run(1, undefined, async () => "light");
  controller.abort(new Error("left"));
  await t.throwsAsync(heavy);
  t.is(await light, "light");
});
