// The index on its own: order, counts over restarts, and entries that the disk has spoilt.
import { rm } from "node:fs/promises";
import { SYSTEM } from "../../testing/system.ts";
import { open } from "lmdb";
import test, { type ExecutionContext } from "ava";
import { cellCrcs } from "../../codec/cells.ts";
import type { PoolId, ShardId } from "../../domain/ids.ts";
import { shardKey } from "../../protocol/shard/shard-key.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { makeTempDir } from "../../testing/shard/shard-node.ts";
import { payloadOf, shardId } from "../../testing/shard/shard-service-conformance.ts";
import { ShardIndex } from "./shard-index.ts";
import type { ShardStoreOptions } from "./shard-store.ts";
import { present } from "../../testing/present.ts";

async function tempDir(t: ExecutionContext): Promise<string> {
  const directory = await makeTempDir();
  t.teardown(() => rm(directory, { recursive: true }));
  return directory;
}

async function insert(index: ShardIndex, id: ShardId, sizeBytes: number): Promise<void> {
  const { bytes, cellCrcs: crcs } = payloadOf(sizeBytes, id.slice);
  const { incarnation } = index;
  const record = { sizeBytes, cellCrcs: crcs, packed: true, incarnation };
  await index.insert(id, record, Buffer.from(bytes));
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

const world = (): Pick<ShardStoreOptions, "clock" | "openStore"> => ({
  ...SYSTEM,
  clock: new FakeClock(),
});

test("each start has a number of its own and knows what the ones before it kept", async (t) => {
  const directory = await tempDir(t);
  const first = await ShardIndex.open(directory, world());
  await insert(first, shardId(1), 64);
  await insert(first, shardId(2, { pg: 3 }), 4096);
  await first.close();
  const second = await ShardIndex.open(directory, world());
  t.is(second.incarnation, first.incarnation + 1);
  t.is(present(second.get(shardId(1))).incarnation, first.incarnation);
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
