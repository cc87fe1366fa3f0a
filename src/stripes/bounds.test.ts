// The parts that keep the block store bounded.
import test from "ava";
import type { NodeId, PoolId, ShardId, SliceId } from "../domain/ids.ts";
import { MAX_DAMAGE_BATCH } from "./limits.ts";
import type { DamageReport } from "../protocol/meta/meta-service.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { DamageQueue } from "./damage-queue.ts";
import { NodeAvoidance } from "./nodes/node-avoidance.ts";
import { NodeLatency } from "./nodes/node-latency.ts";
import { present } from "../testing/present.ts";

const NODE = "00000000000a" as NodeId;

function shard(index: number): ShardId {
  return { pool: 1 as PoolId, pg: 1, slice: 1 as SliceId, index, slot: 0 };
}

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
  t.is(present(batches[2]).length, MAX_DAMAGE_BATCH);
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
