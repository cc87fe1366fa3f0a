// What a node calls secure, over a disk whose power can be cut and which fails.
import test from "ava";
import { CELL_BYTES } from "../../domain/format.ts";
import type { ShardId } from "../../domain/ids.ts";
import { MAX_PACKED_SHARD_BYTES } from "../../protocol/shard/limits.ts";
import { MemoryMachine } from "../../testing/shard/memory-machine.ts";
import {
  payloadOf,
  putShard,
  readShard,
  rejectsWith,
  shardId,
  verdictOf,
} from "../../testing/shard/shard-service-conformance.ts";
import { MAX_UNSYNCED_FILES } from "./limits.ts";
import type { ShardStore } from "./shard-store.ts";

const ignore = (): void => undefined;

const LARGE = 3 * CELL_BYTES;
const SMALL = 64;

async function putAll(store: ShardStore, ids: readonly ShardId[], size = LARGE): Promise<void> {
  for (const id of ids) await putShard(store, id, payloadOf(size, id.slice));
}

test("what is secure is there whole after a power cut, small and large", async (t) => {
  const machine = new MemoryMachine();
  const store = await machine.start();
  await putAll(store, [shardId(1), shardId(2, { pg: 9 })]);
  await putAll(store, [shardId(3)], SMALL);
  const ids = [shardId(1), shardId(2, { pg: 9 }), shardId(3)];
  t.deepEqual(await store.secure(ids, "unseen"), ["secure", "secure", "secure"]);
  machine.disk.cut();
  const after = await machine.start();
  for (const id of ids) {
    const { bytes } = await readShard(after, id);
    t.is(Buffer.compare(bytes, payloadOf(bytes.length, id.slice).bytes), 0);
  }
  t.deepEqual(await after.secure(ids, "unseen"), ["secure", "secure", "secure"]);
});

test("securing what this start has received reads nothing, and flushes it once", async (t) => {
  const machine = new MemoryMachine();
  const store = await machine.start();
  const ids = [shardId(1), shardId(2)];
  await putAll(store, ids);
  await store.secure(ids, "unseen");
  t.is(machine.callsOf("read"), 0);
  t.is(machine.callsOf("datasync"), 2);
  const before = machine.calls.length;
  await store.secure([...ids, ...ids], "unseen");
  t.is(machine.calls.length, before);
});

test("a shard that a power cut took is never secure, whatever the index says", async (t) => {
  const machine = new MemoryMachine();
  const store = await machine.start();
  await putAll(store, [shardId(1)]);
  // The index reaches the disk by itself; of the file only the name does.
  await putAll(store, [shardId(2)], SMALL);
  await store.secure([shardId(2)], "unseen");
  machine.disk.cut();
  const after = await machine.start();
  t.deepEqual(await after.secure([shardId(1), shardId(2)], "unseen"), ["missing", "secure"]);
  await rejectsWith(t, "ENOENT", after.head(shardId(1)));
});

test("bytes of an earlier start are secure only if they match their checksums", async (t) => {
  const machine = new MemoryMachine();
  const first = await machine.start();
  const ids = [1, 2, 3, 4].map((slice) => shardId(slice));
  await putAll(first, ids);
  await first.close();
  const zeroed = machine.disk.reopenSync(machine.pathOf(shardId(2)));
  zeroed.writeSync(Buffer.alloc(LARGE), 0, 0);
  machine.disk.reopenSync(machine.pathOf(shardId(3))).truncateSync(LARGE - 8);
  machine.disk.removeSync(machine.pathOf(shardId(4)));
  const store = await machine.start();
  const verdicts = await store.secure(ids, "unseen");
  t.deepEqual(verdicts, ["secure", "spoilt", "spoilt", "missing"]);
  t.deepEqual(await store.secure(ids, "unseen"), ["secure", "missing", "missing", "missing"]);
  t.is((await store.stats()).quarantined, 2);
  t.deepEqual(
    machine.found.map(([{ slice }, kind]) => [slice as number, kind]),
    [
      [2, "corrupt"],
      [3, "corrupt"],
      [4, "missing"],
    ],
  );
});

test("what was found whole is read once a start", async (t) => {
  const machine = new MemoryMachine();
  const first = await machine.start();
  await putAll(first, [shardId(1)]);
  await first.close();
  const store = await machine.start();
  await store.secure([shardId(1)], "unseen");
  const reads = machine.callsOf("read");
  t.true(reads > 0);
  await store.secure([shardId(1)], "unseen");
  t.is(machine.callsOf("read"), reads);
  await store.secure([shardId(1)], "every");
  t.true(machine.callsOf("read") > reads);
});

test("what an earlier start had flushed is believed, but not by an fsync", async (t) => {
  const machine = new MemoryMachine();
  const first = await machine.start();
  const ids = [1, 2, 3].map((slice) => shardId(slice));
  await putAll(first, ids);
  await first.close();
  machine.disk.reopenSync(machine.pathOf(shardId(2))).truncateSync(LARGE - 8);
  machine.disk.removeSync(machine.pathOf(shardId(3)));
  const store = await machine.start();
  const reads = machine.callsOf("read");
  t.deepEqual(await store.secure([shardId(1)], "unflushed"), ["secure"]);
  t.is(machine.callsOf("read"), reads);
  t.deepEqual(await store.secure(ids, "unflushed"), ["secure", "spoilt", "missing"]);
  const later = machine.callsOf("read");
  t.deepEqual(await store.secure([shardId(1)], "unseen"), ["secure"]);
  t.true(machine.callsOf("read") > later);
});

test("a power cut leaves nothing that is believed without having been flushed", async (t) => {
  const machine = new MemoryMachine();
  const first = await machine.start();
  await putAll(first, [shardId(1), shardId(2)]);
  await first.secure([shardId(1)], "unseen");
  machine.disk.cut();
  const store = await machine.start();
  const [flushed, other] = await store.secure([shardId(1), shardId(2)], "unflushed");
  t.is(flushed, "secure");
  t.not(other, "secure");
});

test("a disk that fails to flush a shard once is not believed the second time", async (t) => {
  const machine = new MemoryMachine();
  const store = await machine.start();
  await putAll(store, [shardId(1), shardId(2)]);
  machine.fail("datasync", machine.pathOf(shardId(1)));
  const ids = [shardId(1), shardId(2)];
  t.deepEqual(await store.secure(ids, "unseen"), ["spoilt", "secure"]);
  machine.heal();
  t.deepEqual(await store.secure(ids, "unseen"), ["missing", "secure"]);
  t.deepEqual(machine.found, [[shardId(1), "corrupt"]]);
  // Put anew it is another file.
  await putAll(store, [shardId(1)]);
  t.deepEqual(await store.secure(ids, "unseen"), ["secure", "secure"]);
});

test("a folder that can't be flushed condemns all that it may have lost", async (t) => {
  const machine = new MemoryMachine();
  const store = await machine.start();
  await putAll(store, [shardId(1)]);
  await store.secure([shardId(1)], "unseen");
  await putAll(store, [shardId(2), shardId(3)]);
  machine.fail("sync", "/node/shards");
  const ids = [shardId(1), shardId(2), shardId(3)];
  t.deepEqual(await store.secure([shardId(2)], "unseen"), ["spoilt"]);
  machine.heal();
  t.deepEqual(await store.secure(ids, "unseen"), ["secure", "missing", "missing"]);
});

test("a file that can't be opened says nothing of its bytes", async (t) => {
  const machine = new MemoryMachine();
  const store = await machine.start();
  await putAll(store, [shardId(1)]);
  machine.fail("open", machine.pathOf(shardId(1)));
  await rejectsWith(t, "EIO", store.secure([shardId(1)], "unseen"));
  await rejectsWith(t, "EIO", store.secure([shardId(1)], "every"));
  machine.heal();
  t.is(await verdictOf(store, shardId(1)), "secure");
  t.deepEqual(machine.found, []);
});

test("a put over a rotten shard of an earlier start brings the right bytes back", async (t) => {
  const machine = new MemoryMachine();
  const first = await machine.start();
  await putAll(first, [shardId(1)]);
  await putAll(first, [shardId(2)], SMALL);
  await first.close();
  machine.disk.spoil(machine.pathOf(shardId(1)), CELL_BYTES + 1);
  const store = await machine.start();
  await putAll(store, [shardId(1)]);
  await putAll(store, [shardId(2)], SMALL);
  t.is(Buffer.compare((await readShard(store, shardId(1))).bytes, payloadOf(LARGE, 1).bytes), 0);
  t.is(await verdictOf(store, shardId(1)), "secure");
  t.like(await store.stats(), { shards: 2, usedBytes: LARGE + SMALL, quarantined: 0 });
  await rejectsWith(t, "EEXIST", putShard(store, shardId(1), payloadOf(LARGE, 7)));
});

test("who found a shard spoilt doesn't set aside the one that came in its place", async (t) => {
  const machine = new MemoryMachine();
  const store = await machine.start();
  await putAll(store, [shardId(1)]);
  machine.disk.reopenSync(machine.pathOf(shardId(1))).truncateSync(8);
  const reading = store.read(shardId(1), 0, LARGE);
  const failed = await t.throwsAsync(async () => reading.readInto(Buffer.alloc(LARGE), 0));
  await store.deleteMany([shardId(1)]);
  await putAll(store, [shardId(1)]);
  await store.spoilt(reading, failed);
  reading.close();
  t.is(await verdictOf(store, shardId(1)), "secure");
  t.deepEqual(machine.found, []);
});

test("a stopped node has all on disk, and its next start has nothing to look at", async (t) => {
  const machine = new MemoryMachine();
  const first = await machine.start();
  await putAll(first, [shardId(1)]);
  await putAll(first, [shardId(2)], SMALL);
  await first.close();
  machine.disk.cut();
  const store = await machine.start();
  t.is(await store.secureEarlier(ignore), 0);
  t.is(machine.callsOf("read"), 0);
  const ids = [shardId(1), shardId(2)];
  t.deepEqual(await store.secure(ids, "unseen"), ["secure", "secure"]);
});

test("after a crash a start looks at what the last one had not flushed, and no more", async (t) => {
  const machine = new MemoryMachine();
  const first = await machine.start();
  await putAll(first, [shardId(1), shardId(2)]);
  await first.flush(first.acknowledged());
  await putAll(first, [shardId(3), shardId(4)]);
  await putAll(first, [shardId(5)], SMALL);
  await first.secure([shardId(4), shardId(5)], "unseen");
  machine.disk.cut();
  const store = await machine.start();
  t.is(await store.secureEarlier(ignore), 1);
  // Its name went to the disk with that of another shard, its bytes did not.
  t.deepEqual(machine.found, [[shardId(3), "corrupt"]]);
  const read = machine.calls.filter(({ what }) => what === "read").map(({ path }) => path);
  const doubtful = [shardId(3), shardId(4)].map((id) => machine.pathOf(id));
  t.deepEqual([...new Set(read)], doubtful);
  t.is(await store.secureEarlier(ignore), 0);
});

test("a file that can't be opened keeps a start from looking at no other", async (t) => {
  const machine = new MemoryMachine();
  const first = await machine.start();
  await putAll(first, [shardId(1), shardId(2)]);
  machine.disk.spoil(machine.pathOf(shardId(2)), 5);
  const store = await machine.start();
  machine.fail("open", machine.pathOf(shardId(1)));
  const unclear: string[] = [];
  t.is(await store.secureEarlier(({ code }) => unclear.push(code)), 1);
  t.deepEqual(unclear, ["EIO"]);
  t.deepEqual(machine.found, [[shardId(2), "corrupt"]]);
  machine.heal();
  // It is not taken to be on disk before somebody has looked.
  machine.disk.spoil(machine.pathOf(shardId(1)), 5);
  const next = await machine.start();
  t.is(await next.secureEarlier(ignore), 1);
  t.is(await next.secureEarlier(ignore), 0);
});

test("a file that can't be opened keeps no other bytes off the disk", async (t) => {
  const machine = new MemoryMachine();
  const store = await machine.start();
  await putAll(store, [shardId(1)]);
  machine.fail("datasync", "/node/index", "lie");
  await putAll(store, [shardId(2)], SMALL);
  machine.fail("open", machine.pathOf(shardId(1)));
  await rejectsWith(t, "EIO", store.flush(store.acknowledged()));
  machine.disk.cut();
  machine.heal();
  const after = await machine.start();
  t.deepEqual(await after.secure([shardId(1), shardId(2)], "unflushed"), ["missing", "secure"]);
});

test("what a flush couldn't open is not noted to be on disk", async (t) => {
  const machine = new MemoryMachine();
  const store = await machine.start();
  await putAll(store, [shardId(1)]);
  machine.fail("open", machine.pathOf(shardId(1)));
  await rejectsWith(t, "EIO", store.flush(store.acknowledged()));
  machine.heal();
  const after = await machine.start();
  await after.secure([shardId(1)], "unflushed");
  t.true(machine.callsOf("read") > 0);
});

test("files that wait for a sync stay few, though one can't be opened", async (t) => {
  const machine = new MemoryMachine();
  const store = await machine.start();
  machine.fail("open", machine.pathOf(shardId(1)));
  const count = MAX_UNSYNCED_FILES + 20;
  const ids = Array.from({ length: count }, (_, at) => shardId(at + 1));
  await putAll(store, ids, MAX_PACKED_SHARD_BYTES + 8);
  await machine.clock.advance(1);
  t.is(machine.callsOf("datasync"), count - MAX_UNSYNCED_FILES - 1);
});

test("after a failed flush of the index the next start's word holds", async (t) => {
  const machine = new MemoryMachine();
  const first = await machine.start();
  machine.fail("datasync", "/node/index");
  // Several pages, which no later write makes dirty again.
  const sizeBytes = 16 * 1024;
  await putAll(first, [shardId(1)], sizeBytes);
  await t.throwsAsync(first.secure([shardId(1)], "unseen"));
  await t.throwsAsync(first.failed);
  machine.heal();
  const second = await machine.start();
  t.deepEqual(await second.secure([shardId(1)], "unseen"), ["secure"]);
  machine.disk.cut();
  const third = await machine.start();
  t.true(third.start > second.start);
  t.is((await readShard(third, shardId(1))).bytes.length, sizeBytes);
});

test("an index that can't be flushed is the end: nothing is secure, kept or found", async (t) => {
  const machine = new MemoryMachine();
  const store = await machine.start();
  await putAll(store, [shardId(1)]);
  await store.secure([shardId(1)], "unseen");
  machine.fail("datasync", "/node/index");
  await putAll(store, [shardId(2)], SMALL).catch(() => undefined);
  await rejectsWith(t, "EIO", store.secure([shardId(2)], "unseen"));
  t.like(await t.throwsAsync(store.failed), { code: "EIO" });
  machine.heal();
  // A second try would seem to succeed.
  await rejectsWith(t, "EIO", store.secure([shardId(2)], "unseen"));
  await rejectsWith(t, "EIO", putShard(store, shardId(3), payloadOf(SMALL)));
  await t.throwsAsync(async () => store.head(shardId(1)));
});
