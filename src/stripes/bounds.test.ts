// The parts that keep the block store bounded.
import test from "ava";
import type { NodeId, PoolId, ShardId, SliceId } from "../domain/ids.ts";
import { MAX_DAMAGE_BATCH } from "./limits.ts";
import type { DamageReport } from "../protocol/meta/meta-service.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { BoundedMap } from "./bounded-map.ts";
import { DamageQueue } from "./damage-queue.ts";
import { NodeAvoidance } from "./nodes/node-avoidance.ts";
import { NodeLatency } from "./nodes/node-latency.ts";
import { WorkLimit } from "./work-limit.ts";

const NODE = "00000000000a" as NodeId;

function shard(index: number): ShardId {
  return { pool: 1 as PoolId, pg: 1, slice: 1 as SliceId, index, slot: 0 };
}

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
    ends.get(name)?.();
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

test("a finding is reported once a minute, in batches", async (t) => {
  const clock = new FakeClock();
  const batches: (readonly DamageReport[])[] = [];
  const queue = new DamageQueue(clock, (reports) => batches.push(reports));
  for (let round = 0; round < 3; round++) {
    queue.report("missing", shard(1), NODE);
    queue.report("corrupt", shard(1), NODE);
  }
  t.is(batches.length, 0);
  await clock.advance(1000);
  t.deepEqual(
    batches.map((batch) => batch.map(({ kind }) => kind)),
    [["missing", "corrupt"]],
  );
  await clock.advance(60_000);
  queue.report("missing", shard(1), NODE);
  await clock.advance(1000);
  t.is(batches.length, 2);
  for (let index = 0; index < MAX_DAMAGE_BATCH; index++)
    queue.report("missing", shard(index + 9), NODE);
  t.is(batches[2]?.length, MAX_DAMAGE_BATCH);
});

test("a bounded map forgets what was set longest ago", (t) => {
  const map = new BoundedMap<string, number>(2);
  map.set("a", 1);
  map.set("b", 2);
  map.set("a", 3);
  map.set("c", 4);
  t.deepEqual([map.get("a"), map.get("b"), map.get("c"), map.size], [3, undefined, 4, 2]);
});

test("a node's reads are slow past twice their p95, between the floor and the cap", (t) => {
  const latency = new NodeLatency();
  t.is(latency.slowAfterMs, 150);
  for (let count = 0; count < 64; count++) latency.record(100);
  t.is(latency.slowAfterMs, 200);
  for (let count = 0; count < 64; count++) latency.record(5000);
  t.is(latency.slowAfterMs, 500);
  for (let count = 0; count < 64; count++) latency.record(1);
  t.is(latency.slowAfterMs, 150);
});

test("a node that serves badly is avoided longer each time, until it serves well", async (t) => {
  const clock = new FakeClock();
  const avoidance = new NodeAvoidance(clock);
  const spans: number[] = [];
  for (let round = 0; round < 7; round++) {
    avoidance.strike();
    avoidance.strike();
    let ms = 0;
    for (; avoidance.isAvoided; ms += 500) await clock.advance(500);
    spans.push(ms);
  }
  t.deepEqual(spans, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  avoidance.clear();
  avoidance.strike();
  await clock.advance(1000);
  t.false(avoidance.isAvoided);
});
