// The store's promises beyond ShardService: damage, full disks, restarts, leftovers.
import { readdir, rm, truncate, unlink, writeFile } from "node:fs/promises";
import { SYSTEM } from "../../testing/system.ts";
import { join } from "node:path";
import test from "ava";
import type { ShardId } from "../../domain/ids.ts";
import { CELL_BYTES } from "../../domain/format.ts";
import {
  payloadOf,
  putShard,
  readShard,
  rejectsWith,
  sealed,
  shardId,
  testShardService,
  verdictOf,
} from "../../testing/shard/shard-service-conformance.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { MemoryMachine } from "../../testing/shard/memory-machine.ts";
import { fillIndex } from "../../testing/shard/full-index-process.ts";
import { flipByte, makeTempDir, openTempStore, shardFile } from "../../testing/shard/shard-node.ts";
import { TEST_CLUSTER } from "../../testing/shard/test-name.ts";
import { ShardStore } from "./shard-store.ts";
import { present } from "../../testing/present.ts";

testShardService(test, "store", async () => {
  const { store: service, close } = await openTempStore();
  return { service, close };
});

const LARGE = 3 * CELL_BYTES;

test("a reopened store has every shard, its counts and its groups", async (t) => {
  const opened = await openTempStore();
  for (const size of [64, LARGE]) await putShard(opened.store, shardId(size), payloadOf(size));
  const store = await opened.reopen();
  for (const size of [64, LARGE]) {
    const { bytes } = await readShard(store, shardId(size));
    t.is(Buffer.compare(bytes, payloadOf(size).bytes), 0);
  }
  t.like(await store.stats(), { shards: 2, usedBytes: 64 + LARGE });
  t.is((await store.groups()).length, 1);
  const verdicts = await store.secure([shardId(64), shardId(LARGE)], "unseen");
  t.deepEqual(verdicts, ["secure", "secure"]);
  await opened.close();
});

test("a truncated file is found on read, quarantined, reported, never served again", async (t) => {
  const found: unknown[] = [];
  const opened = await openTempStore({ onDamage: (id, kind) => found.push([id, kind]) });
  const { store } = opened;
  await putShard(store, shardId(1), payloadOf(LARGE));
  await truncate(shardFile(opened.directory, shardId(1)), LARGE - 8);
  await rejectsWith(t, "EBADMSG", store.get(shardId(1), 2 * CELL_BYTES, Buffer.alloc(CELL_BYTES)));
  await rejectsWith(t, "ENOENT", store.get(shardId(1), 0, Buffer.alloc(LARGE)));
  t.deepEqual(found, [[shardId(1), "corrupt"]]);
  t.like(await store.stats(), { shards: 0, usedBytes: 0, quarantined: 1 });
  t.is((await readdir(join(opened.directory, "quarantine"))).length, 1);
  await putShard(store, shardId(1), payloadOf(LARGE));
  t.is(await verdictOf(store, shardId(1)), "secure");
  await opened.close();
});

test("a file found spoilt by a verify is quarantined, and stays so over a restart", async (t) => {
  const found: ShardId[] = [];
  const opened = await openTempStore({ onDamage: (id) => found.push(id) });
  await putShard(opened.store, shardId(1), payloadOf(LARGE));
  await flipByte(shardFile(opened.directory, shardId(1)), 2 * CELL_BYTES + 5);
  t.is(await verdictOf(opened.store, shardId(1)), "spoilt");
  t.deepEqual(found, [shardId(1)]);
  const store = await opened.reopen();
  await rejectsWith(t, "ENOENT", store.head(shardId(1)));
  t.is((await store.stats()).quarantined, 1);
  await opened.close();
});

test("a shard whose file is gone is unknown from the first read on, and reported", async (t) => {
  const found: unknown[] = [];
  const opened = await openTempStore({ onDamage: (id, kind) => found.push([id, kind]) });
  await putShard(opened.store, shardId(1), payloadOf(LARGE));
  await unlink(shardFile(opened.directory, shardId(1)));
  await rejectsWith(t, "ENOENT", opened.store.get(shardId(1), 0, Buffer.alloc(LARGE)));
  await putShard(opened.store, shardId(1), payloadOf(LARGE));
  t.deepEqual(found, [[shardId(1), "missing"]]);
  t.is(await verdictOf(opened.store, shardId(1)), "secure");
  await opened.close();
});

test("putting a shard whose file is gone or short brings it back", async (t) => {
  const opened = await openTempStore();
  const { store, directory } = opened;
  await putShard(store, shardId(1), payloadOf(LARGE));
  await unlink(shardFile(directory, shardId(1)));
  await putShard(store, shardId(1), payloadOf(LARGE));
  await truncate(shardFile(directory, shardId(1)), 8);
  await putShard(store, shardId(1), payloadOf(LARGE));
  t.is(await verdictOf(store, shardId(1)), "secure");
  t.like(await store.stats(), { shards: 1, usedBytes: LARGE });
  await opened.close();
});

test("a node that holds its capacity refuses more with ENOSPC until some is deleted", async (t) => {
  const opened = await openTempStore({ capacityBytes: LARGE + 100 });
  const { store } = opened;
  await putShard(store, shardId(1), payloadOf(LARGE));
  await rejectsWith(t, "ENOSPC", putShard(store, shardId(2), payloadOf(LARGE)));
  await putShard(store, shardId(3), payloadOf(64));
  await rejectsWith(t, "ENOSPC", putShard(store, shardId(4), payloadOf(64)));
  t.is((await store.stats()).capacityBytes, LARGE + 100);
  await store.deleteMany([shardId(1)]);
  await putShard(store, shardId(2), payloadOf(LARGE));
  await opened.close();
});

test("shards that arrive at once cannot overfill the node together", async (t) => {
  const opened = await openTempStore({ capacityBytes: 2 * LARGE });
  const outcomes = await Promise.allSettled(
    [1, 2, 3, 4].map((slice) => putShard(opened.store, shardId(slice), payloadOf(LARGE, slice))),
  );
  t.is(outcomes.filter(({ status }) => status === "fulfilled").length, 2);
  await opened.close();
});

test("the disk's reserve is left alone", async (t) => {
  const disk = { totalBytes: 1_000_000, freeBytes: 20_000 + 64 };
  const figures = (): typeof disk => disk;
  const clock = new FakeClock();
  const opened = await openTempStore({ clock, disk: { ...SYSTEM.disk, figures } });
  await putShard(opened.store, shardId(1), payloadOf(64));
  await rejectsWith(t, "ENOSPC", putShard(opened.store, shardId(2), payloadOf(8)));
  await opened.close();
});

test("what was arriving when the node died is removed at the next start", async (t) => {
  const opened = await openTempStore();
  const reception = present(
    opened.store.receive(shardId(1), LARGE, sealed(shardId(1), payloadOf(LARGE)).cellCrcs),
  );
  await reception.write(payloadOf(LARGE).bytes.subarray(0, CELL_BYTES));
  t.is((await readdir(join(opened.directory, "incoming"))).length, 1);
  await opened.reopen();
  t.is((await readdir(join(opened.directory, "incoming"))).length, 0);
  await opened.close();
});

test("files without an index entry are swept, those with one and new ones stay", async (t) => {
  const opened = await openTempStore();
  await putShard(opened.store, shardId(1), payloadOf(LARGE));
  await writeFile(shardFile(opened.directory, shardId(2)), "left over");
  const store = await opened.reopen();
  t.is(await store.sweepLeftovers(), 1);
  t.is(await verdictOf(store, shardId(1)), "secure");
  await putShard(store, shardId(2), payloadOf(LARGE, 2));
  t.is(await store.sweepLeftovers(), 0);
  t.is(await verdictOf(store, shardId(2)), "secure");
  await opened.close();
});

test("a file left over under a shard's name doesn't harm the shard that is put", async (t) => {
  const opened = await openTempStore();
  await putShard(opened.store, shardId(1), payloadOf(LARGE));
  await writeFile(shardFile(opened.directory, shardId(2)), "left over");
  await putShard(opened.store, shardId(2), payloadOf(LARGE, 2));
  t.is(await verdictOf(opened.store, shardId(2)), "secure");
  await opened.close();
});

test("an index that cannot grow refuses shards, loses none, and the node lives on", async (t) => {
  const directory = await makeTempDir();
  const outcome = await fillIndex(directory, 4096);
  t.true(outcome.acknowledged > 20 && outcome.refused >= 16);
  t.is(outcome.spoilt, 0);
  t.is(outcome.left, Math.ceil(outcome.acknowledged / 2));
  const store = await ShardStore.open({ ...SYSTEM, cluster: () => TEST_CLUSTER, directory });
  t.is((await store.stats()).shards, outcome.left);
  await store.close();
  await rm(directory, { recursive: true });
});

test("a node whose index is lost doesn't start, and deletes no shard", async (t) => {
  const machine = new MemoryMachine();
  const first = await machine.start();
  await putShard(first, shardId(1), payloadOf(LARGE));
  await first.close();
  await machine.disk.removeTree("/node/index");
  for (const again of [1, 2]) {
    await t.throwsAsync(machine.start(), { message: /bring it back/ }, `start ${again}`);
  }
  t.truthy(machine.disk.factsSync(machine.pathOf(shardId(1))));
});
