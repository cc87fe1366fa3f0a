// The trash of a node over restarts, time and a disk that fills.
import test from "ava";
import { CELL_BYTES } from "../../domain/format.ts";
import type { ShardId } from "../../domain/ids.ts";
import { silentLog } from "../../observability/log.ts";
import { deferred } from "../../platform/flow/deferred.ts";
import { Routine } from "../../platform/flow/routine.ts";
import { MemoryMachine } from "../../testing/shard/memory-machine.ts";
import {
  payloadOf,
  putShard,
  readShard,
  rejectsWith,
  shardId,
  verdictOf,
} from "../../testing/shard/shard-service-conformance.ts";
import { TRASH_CADENCE_MS } from "./limits.ts";
import type { ShardStore } from "./shard-store.ts";
import { TrashCadence } from "./trash-cadence.ts";

const LARGE = 2 * CELL_BYTES;
const SMALL = 64;
const HOUR_MS = 3600 * 1000;

/** A large shard and a small one. */
const IDS = [shardId(1), shardId(2)];

async function putAndPark(store: ShardStore): Promise<void> {
  await putShard(store, shardId(1), payloadOf(LARGE, 1));
  await putShard(store, shardId(2), payloadOf(SMALL, 2));
  await store.park(IDS);
}

async function parkedOf(store: ShardStore): Promise<number> {
  return (await store.stats()).parked;
}

test("the trash outlives a restart and the sweep of leftovers, and brings back all", async (t) => {
  const machine = new MemoryMachine();
  const first = await machine.start();
  await putAndPark(first);
  await first.close();
  machine.disk.cut();
  const store = await machine.start();
  await machine.clock.advance(HOUR_MS);
  t.is(await store.sweepLeftovers(), 0);
  t.like(await store.stats(), { shards: 0, parked: 2, parkedBytes: LARGE + SMALL });
  t.deepEqual(await store.unpark(IDS), [true, true]);
  for (const id of IDS) {
    const { bytes } = await readShard(store, id);
    t.is(Buffer.compare(bytes, payloadOf(bytes.length, id.slice).bytes), 0);
  }
});

test("a shard leaves the trash for good a day of the node's life after it came", async (t) => {
  const machine = new MemoryMachine();
  const first = await machine.start();
  await putAndPark(first);
  await machine.clock.advance(20 * HOUR_MS);
  t.is(await first.emptyTrash(), 0);
  await first.close();
  // Off for a week, and with a clock that is set to whatever.
  const store = await machine.start();
  await machine.clock.advance(4 * HOUR_MS - 1);
  t.is(await store.emptyTrash(), 0);
  t.is(await parkedOf(store), 2);
  await machine.clock.advance(1);
  t.is(await store.emptyTrash(), 2);
  t.is(await parkedOf(store), 0);
  t.is(machine.disk.factsSync(machine.pathOf(shardId(1))), undefined);
  t.deepEqual(await store.unpark(IDS), [false, false]);
});

test("how long it stays is settable, and what is overdue goes by itself", async (t) => {
  const machine = new MemoryMachine();
  const store = await machine.start({ trashKeepMs: 10 * TRASH_CADENCE_MS });
  await using cadence = new Routine(
    new TrashCadence({ store, clock: machine.clock, log: silentLog }),
  );
  cadence.start();
  await putAndPark(store);
  await machine.clock.advance(10 * TRASH_CADENCE_MS - 1);
  t.is(await parkedOf(store), 2);
  await machine.clock.advance(TRASH_CADENCE_MS);
  while ((await parkedOf(store)) > 0) await machine.clock.advance(1);
  t.true(machine.clock.monotonicMs() < 11 * TRASH_CADENCE_MS + 1000);
});

test("the trash gives way when space gets short, the oldest first", async (t) => {
  const machine = new MemoryMachine();
  const store = await machine.start({ capacityBytes: 40 * LARGE });
  const parked: ShardId[] = [];
  for (let slice = 1; slice <= 6; slice++) {
    await putShard(store, shardId(slice), payloadOf(LARGE, slice));
    await store.park([shardId(slice)]);
    parked.push(shardId(slice));
    await machine.clock.advance(HOUR_MS / 10);
  }
  // A tenth of the capacity is left, and then less.
  for (let slice = 11; slice <= 43; slice++) {
    await putShard(store, shardId(slice), payloadOf(LARGE, slice));
    await machine.clock.advance(10);
  }
  const stand = await store.unpark(parked);
  const gone = stand.indexOf(true);
  t.true(gone >= 2 && gone <= 4);
  t.deepEqual(
    stand,
    parked.map((_, at) => at >= gone),
  );
  t.is((await store.stats()).capacityBytes, 40 * LARGE);
});

test("what comes out of the trash is looked at before it is called secure", async (t) => {
  const machine = new MemoryMachine();
  const store = await machine.start();
  await putAndPark(store);
  machine.disk.spoil(machine.pathOf(shardId(1)), 5);
  await store.unpark(IDS);
  t.deepEqual(await store.secure(IDS, "unseen"), ["spoilt", "secure"]);
});

test("a shard that was not flushed when it was parked is flushed when it is back", async (t) => {
  const machine = new MemoryMachine();
  const store = await machine.start();
  await putAndPark(store);
  await store.unpark(IDS);
  t.deepEqual(await store.secure(IDS, "unseen"), ["secure", "secure"]);
  machine.disk.cut();
  const after = await machine.start();
  for (const id of IDS) t.is(await verdictOf(after, id), "secure");
});

test("a shard deleted while the trash is emptied leaves it once", async (t) => {
  const machine = new MemoryMachine();
  const store = await machine.start();
  await putAndPark(store);
  await machine.clock.advance(24 * HOUR_MS);
  await putShard(store, shardId(3), payloadOf(LARGE, 3));
  await store.park([shardId(3)]);
  const [, removed] = await Promise.all([store.deleteMany(IDS), store.emptyTrash()]);
  t.is(removed, 0);
  t.like(await store.stats(), { parked: 1, parkedBytes: LARGE });
  t.deepEqual(await store.unpark([shardId(3)]), [true]);
  t.like(await store.stats(), { shards: 1, parked: 0, parkedBytes: 0 });
});

test("what came out of the trash is secure once the index says so on disk", async (t) => {
  const machine = new MemoryMachine();
  const store = await machine.start();
  await putAndPark(store);
  const held = deferred();
  machine.pause = ({ what, path }) =>
    what === "datasync" && path.startsWith("/node/index") ? held.promise : undefined;
  const unparked = store.unpark(IDS);
  while ((await parkedOf(store)) > 0) await machine.clock.advance(1);
  let said = "";
  void store.secure(IDS, "unseen").then(() => (said += "secure"));
  void unparked.then(() => (said += "unparked"));
  for (let turn = 0; turn < 50; turn++) await machine.clock.advance(1);
  t.is(said, "");
  held.resolve();
  t.deepEqual(await store.secure(IDS, "unseen"), ["secure", "secure"]);
  t.deepEqual(await unparked, [true, true]);
  machine.disk.cut();
  const after = await machine.start();
  t.deepEqual(await after.secure(IDS, "unseen"), ["secure", "secure"]);
});

test("a shard that the disk failed to flush while it was in the trash isn't back", async (t) => {
  const machine = new MemoryMachine();
  const store = await machine.start();
  await putAndPark(store);
  machine.fail("datasync", machine.pathOf(shardId(1)));
  await store.flush(store.acknowledged());
  machine.heal();
  t.deepEqual(await store.unpark(IDS), [false, true]);
  t.deepEqual(await store.secure(IDS, "unseen"), ["missing", "secure"]);
  t.like(await store.stats(), { shards: 1, parked: 0, parkedBytes: 0 });
});

test("a put that fails leaves the shard in the trash its bytes", async (t) => {
  const machine = new MemoryMachine();
  const store = await machine.start();
  await putAndPark(store);
  machine.fail("write", "/node/index", "ENOSPC");
  await rejectsWith(t, "ENOSPC", putShard(store, shardId(1), payloadOf(LARGE, 1)));
  machine.heal();
  t.deepEqual(await store.unpark(IDS), [true, true]);
  t.deepEqual(await store.secure(IDS, "unseen"), ["secure", "secure"]);
});
