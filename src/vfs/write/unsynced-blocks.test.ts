import test from "ava";
import { FsError } from "../../domain/errno.ts";
import type { Ino, PoolId, SliceId } from "../../domain/ids.ts";
import { silentLog } from "../../observability/log.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { MemoryBlockStore } from "../../testing/vfs/block-memory.ts";
import { UnsyncedBlocks } from "./unsynced-blocks.ts";

function turns(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const BLOCK = { pool: 1 as PoolId, slice: 1 as SliceId, index: 0, lengthBytes: 1 };
const UNSETTLED = { chunk: 0, settled: false };

/** No file cites anything, unless `cited` says so. */
function unsyncedOver(
  store: MemoryBlockStore,
  cited: readonly SliceId[] = [],
  clock = new FakeClock(),
) {
  const extents = cited.map((slice) => {
    return { posInChunk: 0, lengthBytes: 1, offInSlice: 0, slice };
  });
  const meta = { extents: () => Promise.resolve([{ chunk: 0, extents }]) };
  return new UnsyncedBlocks({ blocks: store, meta, clock, log: silentLog, maxBlocks: 10 });
}

/** A store that has one block of each of the slices 1 to `count`. */
async function storeOf(count: number): Promise<MemoryBlockStore> {
  const store = new MemoryBlockStore();
  for (let slice = 1; slice <= count; slice++) {
    await store.putBlock({ ...BLOCK, slice: slice as SliceId }, new Uint8Array(1));
  }
  return store;
}

test("an fsync asks for all blocks but those that were overwritten and collected", async (t) => {
  const store = await storeOf(4);
  const clock = new FakeClock();
  const unsynced = unsyncedOver(store, [2 as SliceId], clock);
  const ino = 1 as Ino;
  const settled = { chunk: 0, settled: true };
  for (const slice of [1, 2] as SliceId[]) unsynced.add(ino, { ...BLOCK, slice }, settled);
  unsynced.add(ino, { ...BLOCK, slice: 3 as SliceId }, UNSETTLED);
  await clock.advance(20_000);
  unsynced.add(ino, { ...BLOCK, slice: 4 as SliceId }, settled);
  await unsynced.sync(ino);
  t.deepEqual([...store.synced].sort(), ["1-2-0", "1-3-0", "1-4-0"]);
  t.is(unsynced.count, 0);
});

test("a block that can't be made durable fails an fsync where the file cites it", async (t) => {
  const store = new MemoryBlockStore();
  store.onSync = (refs) => {
    if (refs.length > 0) throw new FsError("EIO", "injected");
  };
  const settled = { chunk: 0, settled: true };
  const ino = 1 as Ino;
  const overwritten = unsyncedOver(store);
  overwritten.add(ino, BLOCK, settled);
  await overwritten.sync(ino);
  const cited = unsyncedOver(store, [1 as SliceId]);
  cited.add(ino, BLOCK, settled);
  await t.throwsAsync(cited.sync(ino), { code: "EIO" });
  t.is(cited.count, 1);
});

test("blocks past the bound are made durable without being asked for", async (t) => {
  const store = await storeOf(11);
  const unsynced = unsyncedOver(store);
  for (let index = 0; index < 11; index += 1) {
    const slice = (index + 1) as SliceId;
    const ref = { pool: 1 as PoolId, slice, index: 0, lengthBytes: 1 };
    unsynced.add((index < 5 ? 1 : 2) as Ino, ref, UNSETTLED);
  }
  await turns();
  t.is(store.synced.size, 5);
  t.is(unsynced.count, 6);
});

test("a sync waits for another's of the same, and does it itself if that fails", async (t) => {
  const store = await storeOf(1);
  const unsynced = unsyncedOver(store);
  const ino = 1 as Ino;
  unsynced.add(ino, BLOCK, UNSETTLED);
  let calls = 0;
  store.onSync = async () => {
    calls += 1;
    await turns();
    if (calls === 1) throw new FsError("EIO", "injected");
  };
  const first = unsynced.sync(ino);
  const second = unsynced.syncAll();
  await t.throwsAsync(first, { code: "EIO" });
  await second;
  t.is(calls, 2);
  t.is(store.synced.size, 1);
});
