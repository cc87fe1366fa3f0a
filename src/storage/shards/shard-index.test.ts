// The index on its own: order, counts over restarts, and entries that the disk has spoilt.
import { rm } from "node:fs/promises";
import { SYSTEM } from "../../testing/system.ts";
import { open } from "lmdb";
import test, { type ExecutionContext } from "ava";
import { cellCrcs } from "../../codec/cells.ts";
import { isFsError } from "../../domain/errno.ts";
import type { PoolId, ShardId } from "../../domain/ids.ts";
import type { OrderedStore } from "../../platform/store/ordered-store.ts";
import { shardKey } from "../../protocol/shard/shard-key.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { makeTempDir } from "../../testing/shard/shard-node.ts";
import { payloadOf, shardId } from "../../testing/shard/shard-service-conformance.ts";
import { ShardIndex, type IndexWorld } from "./shard-index.ts";
import { present } from "../../testing/present.ts";

async function tempDir(t: ExecutionContext): Promise<string> {
  const directory = await makeTempDir();
  t.teardown(() => rm(directory, { recursive: true }));
  return directory;
}

async function insert(index: ShardIndex, id: ShardId, sizeBytes: number): Promise<void> {
  const { bytes, cellCrcs: crcs } = payloadOf(sizeBytes, id.slice);
  await index.insert(id, { sizeBytes, cellCrcs: crcs, packed: true }, Buffer.from(bytes));
}

/** Changes an entry behind the index's back. */
async function spoilEntry(directory: string, id: ShardId): Promise<void> {
  const options = { path: directory, encoding: "binary", keyEncoding: "binary" } as const;
  const root = open<Buffer, Buffer>({ ...options, maxDbs: 8 });
  const records = root.openDB<Buffer, Buffer>({ name: "shards", ...options });
  const value = Buffer.from(present(records.get(shardKey(id))));
  value.writeUInt8(value.readUInt8(9) ^ 1, 9);
  await records.put(shardKey(id), value);
  await root.close();
}

const world = (): IndexWorld => ({
  ...SYSTEM,
  clock: new FakeClock(),
  mayBeNew: true,
  onBroken: (error) => {
    throw error;
  },
});

test("each start has a number of its own and knows what the ones before it kept", async (t) => {
  const directory = await tempDir(t);
  const first = await ShardIndex.open(directory, world());
  await insert(first, shardId(1), 64);
  await insert(first, shardId(2, { pg: 3 }), 4096);
  await first.close();
  const second = await ShardIndex.open(directory, world());
  t.is(second.start, first.start + 1);
  const records = [shardId(1), shardId(2, { pg: 3 })].map((id) => present(second.get(id)));
  t.deepEqual(
    records.map(({ start, sequence }) => [start, sequence]),
    [
      [first.start, 1],
      [first.start, 2],
    ],
  );
  t.deepEqual([second.shards, second.usedBytes], [2, 64 + 4096]);
  t.deepEqual(second.groups(), [
    [1 as PoolId, 3],
    [1 as PoolId, 7],
  ]);
  const bytes = present(second.getPacked(shardId(2, { pg: 3 })));
  t.deepEqual(cellCrcs(bytes), payloadOf(4096, 2).cellCrcs);
  await second.close();
});

test("an entry that the disk has spoilt counts as absent, and can be put anew", async (t) => {
  const directory = await tempDir(t);
  const first = await ShardIndex.open(directory, world());
  for (const slice of [1, 2, 3]) await insert(first, shardId(slice), 64);
  await first.close();
  await spoilEntry(directory, shardId(2));
  const index = await ShardIndex.open(directory, world());
  const spoilt: ShardId[] = [];
  index.whenSpoilt((id) => spoilt.push(id));
  t.is(index.get(shardId(2)), undefined);
  t.deepEqual(
    index.page(1 as PoolId, 7, undefined, 10).map(({ id }) => id),
    [shardId(1), shardId(3)],
  );
  t.deepEqual(spoilt, [shardId(2), shardId(2)]);
  t.false(await index.removeSpoilt(shardId(1)));
  t.true(await index.removeSpoilt(shardId(2)));
  t.is(index.shards, 2);
  await insert(index, shardId(2), 128);
  t.is(index.shards, 3);
  t.is(present(index.get(shardId(2))).sizeBytes, 128);
  await index.close();
});

test("an index of another format is refused with a word on what to do", async (t) => {
  const directory = await tempDir(t);
  const openStore = (): OrderedStore =>
    SYSTEM.openStore({ directory, what: "the node's index", syncEachCommit: false });
  const store = openStore();
  // All that version 1 said of itself.
  const start = Buffer.from([7, 0, 0, 0]);
  await store.write((batch) => batch.put(store.table("state"), Buffer.from("incarnation"), start));
  await store.close();
  const old = await t.throwsAsync(ShardIndex.open(directory, world()));
  t.true(isFsError(old, "EPROTO"));
  t.regex(old.message, /format 1.*empty data directory/);
  const newer = openStore();
  await newer.write((batch) =>
    batch.put(newer.table("state"), Buffer.from("format"), Buffer.of(9)),
  );
  await newer.close();
  await t.throwsAsync(ShardIndex.open(directory, world()), { message: /format 9/ });
});
