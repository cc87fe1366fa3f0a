// A node flushes by itself: within 5 s of its acknowledgement nothing is at a power cut's mercy.
import test from "ava";
import { CELL_BYTES } from "../../domain/format.ts";
import { silentLog } from "../../observability/log.ts";
import { Routine } from "../../platform/flow/routine.ts";
import { MemoryMachine } from "../../testing/shard/memory-machine.ts";
import { payloadOf, putShard, shardId } from "../../testing/shard/shard-service-conformance.ts";
import { SelfFlush } from "./self-flush.ts";

const LARGE = 2 * CELL_BYTES;

/** In steps, so that what is due has time to be done. */
async function pass(machine: MemoryMachine, spanMs: number): Promise<void> {
  for (let passedMs = 0; passedMs < spanMs; passedMs += 20) await machine.clock.advance(20);
}

test("what was acknowledged 5 s ago survives a power cut, though nobody asked", async (t) => {
  const machine = new MemoryMachine();
  const store = await machine.start();
  const flush = new Routine(new SelfFlush({ store, clock: machine.clock, log: silentLog }));
  flush.start();
  for (let slice = 1; slice <= 20; slice++) {
    await putShard(store, shardId(slice, { pg: slice % 3 }), payloadOf(LARGE, slice));
    await pass(machine, 500);
  }
  // The last of which it holds is 5 s old now.
  await pass(machine, 4500);
  machine.disk.cut();
  const after = await machine.start();
  const ids = Array.from({ length: 20 }, (_, at) => shardId(at + 1, { pg: (at + 1) % 3 }));
  const verdicts = await after.secure(ids, "every");
  t.deepEqual(
    verdicts,
    ids.map(() => "secure"),
  );
  await flush.close();
});

test("a file that can't be opened keeps no younger one off the disk", async (t) => {
  const machine = new MemoryMachine();
  const store = await machine.start();
  await using flush = new Routine(new SelfFlush({ store, clock: machine.clock, log: silentLog }));
  flush.start();
  machine.fail("open", machine.pathOf(shardId(1)));
  await putShard(store, shardId(1), payloadOf(LARGE, 1));
  await pass(machine, 3000);
  await putShard(store, shardId(2), payloadOf(LARGE, 2));
  await pass(machine, 5000);
  t.is(machine.callsOf("datasync"), 1);
  // It goes to the disk once it can be.
  machine.heal();
  await pass(machine, 3000);
  machine.disk.cut();
  const after = await machine.start();
  t.deepEqual(await after.secure([shardId(1), shardId(2)], "unseen"), ["secure", "secure"]);
});

test("a node without work leaves its disk alone", async (t) => {
  const machine = new MemoryMachine();
  const store = await machine.start();
  const flush = new Routine(new SelfFlush({ store, clock: machine.clock, log: silentLog }));
  flush.start();
  await putShard(store, shardId(1), payloadOf(LARGE));
  await pass(machine, 10_000);
  const before = machine.calls.length;
  await pass(machine, 60_000);
  t.is(machine.calls.length, before);
  await flush.close();
});

test("a start tells of shards that the last one had acknowledged and not flushed", async (t) => {
  const machine = new MemoryMachine();
  const first = await machine.start();
  await putShard(first, shardId(1), payloadOf(LARGE));
  await putShard(first, shardId(2), payloadOf(64));
  await first.secure([shardId(2)], "unseen");
  machine.disk.cut();
  const store = await machine.start();
  const flush = new Routine(new SelfFlush({ store, clock: machine.clock, log: silentLog }));
  flush.start();
  await pass(machine, 200);
  t.deepEqual(machine.found, [[shardId(1), "missing"]]);
  await flush.close();
});
