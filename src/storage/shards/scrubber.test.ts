// The scrub reads everything at its pace, remembers where it was, and sets aside what is spoilt.
import { writeFile } from "node:fs/promises";
import test from "ava";
import type { ShardId } from "../../domain/ids.ts";
import { CELL_BYTES } from "../../domain/format.ts";
import { SCRUB_BATCH_BYTES, SCRUB_PASS_INTERVAL_MS } from "./limits.ts";
import { silentLog } from "../../observability/log.ts";
import { Routine } from "../../platform/flow/routine.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { MemoryMachine } from "../../testing/shard/memory-machine.ts";
import { payloadOf, putShard, shardId } from "../../testing/shard/shard-service-conformance.ts";
import { flipByte, openTempStore, shardFile } from "../../testing/shard/shard-node.ts";
import { Scrubber } from "./scrubber.ts";

/** A clock that tells of sleeps. */
class SleepyClock extends FakeClock {
  #sleepMs = 0;
  #slept: () => void = () => undefined;

  override sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    const sleeping = super.sleep(delayMs, signal);
    this.#sleepMs = delayMs;
    this.#slept();
    return sleeping;
  }

  /** Ends the sleep that there is, if any; resolves when the next has begun, with its length. */
  async untilSleep(): Promise<number> {
    const slept = new Promise<void>((resolve) => (this.#slept = resolve));
    await this.advance(this.#sleepMs);
    await slept;
    return this.#sleepMs;
  }
}

const SHARD_BYTES = 16 * CELL_BYTES;

test("a pass checks every shard once, as slowly as it was told, and then rests", async (t) => {
  const damaged: ShardId[] = [];
  const opened = await openTempStore({ onDamage: (id) => damaged.push(id) });
  for (let slice = 1; slice <= 6; slice++) {
    await putShard(opened.store, shardId(slice), payloadOf(SHARD_BYTES, slice));
  }
  await flipByte(shardFile(opened.directory, shardId(2)), 100);
  await flipByte(shardFile(opened.directory, shardId(6)), SHARD_BYTES - 1);
  const sleepy = new SleepyClock();
  const scrubber = new Routine(
    new Scrubber({
      store: opened.store,
      clock: sleepy,
      log: silentLog,
      bytesPerSecond: SCRUB_BATCH_BYTES / 10,
    }),
  );
  const first = sleepy.untilSleep();
  scrubber.start();
  t.is(await first, 10_000);
  t.deepEqual(damaged, [shardId(2)]);
  t.is(await sleepy.untilSleep(), 5000);
  t.deepEqual(damaged, [shardId(2), shardId(6)]);
  t.is(await sleepy.untilSleep(), SCRUB_PASS_INTERVAL_MS);
  await scrubber.close();
  await opened.close();
});

test("a file that can't be opened ends no scrub", async (t) => {
  const machine = new MemoryMachine();
  const store = await machine.start();
  for (const slice of [1, 2]) await putShard(store, shardId(slice), payloadOf(SHARD_BYTES, slice));
  machine.disk.spoil(machine.pathOf(shardId(2)), 100);
  machine.fail("open", machine.pathOf(shardId(1)));
  const sleepy = new SleepyClock();
  const settings = { log: silentLog, bytesPerSecond: SCRUB_BATCH_BYTES };
  await using scrubber = new Routine(new Scrubber({ store, clock: sleepy, ...settings }));
  const first = sleepy.untilSleep();
  scrubber.start();
  t.is(await first, 500);
  t.deepEqual(machine.found, [[shardId(2), "corrupt"]]);
  t.is(await sleepy.untilSleep(), SCRUB_PASS_INTERVAL_MS);
});

test("a scrub that is started again goes on where it was, after sweeping leftovers", async (t) => {
  const damaged: ShardId[] = [];
  const opened = await openTempStore({ onDamage: (id) => damaged.push(id) });
  for (let slice = 1; slice <= 6; slice++) {
    await putShard(opened.store, shardId(slice), payloadOf(SHARD_BYTES, slice));
  }
  const settings = { log: silentLog, bytesPerSecond: SCRUB_BATCH_BYTES };
  const sleepy = new SleepyClock();
  const scrubber = new Routine(new Scrubber({ store: opened.store, clock: sleepy, ...settings }));
  const first = sleepy.untilSleep();
  scrubber.start();
  await first;
  const second = sleepy.untilSleep();
  await second;
  await scrubber.close();
  await flipByte(shardFile(opened.directory, shardId(1)), 1);
  await flipByte(shardFile(opened.directory, shardId(6)), 1);
  await writeFile(shardFile(opened.directory, shardId(99)), "left over");
  const store = await opened.reopen();
  const again = new SleepyClock();
  const anew = new Routine(new Scrubber({ store, clock: again, ...settings }));
  const started = again.untilSleep();
  anew.start();
  await started;
  t.is(await store.sweepLeftovers(), 0);
  t.deepEqual(damaged[0], shardId(6));
  await anew.close();
  await opened.close();
});
