import test from "ava";
import { MemoryDisk, type DiskFault } from "../disk/memory-disk.ts";
import { seededRandom } from "../seeded-random.ts";
import { storesOn } from "./disk-store.ts";
import { orderedStoreConformance } from "./ordered-store-conformance.ts";

const DIRECTORY = "/index";
const KEY = Buffer.from("count");

function open(disk: MemoryDisk, syncEachCommit: boolean) {
  return storesOn(disk)({ directory: DIRECTORY, what: "it", syncEachCommit });
}

/** Counts up by a transaction a number, a second key following the first. */
async function count(disk: MemoryDisk, from: number, to: number, syncEachCommit: boolean) {
  const store = open(disk, syncEachCommit);
  const table = store.table("some");
  for (let number = from; number <= to; number++) {
    await store.write((batch) => {
      batch.put(table, KEY, Buffer.of(number));
      batch.put(table, Buffer.of(number), KEY);
    });
  }
  return store;
}

/** What an opener finds; every transaction up to it must be whole. */
function counted(disk: MemoryDisk): number {
  const table = open(disk, true).table("some");
  const number = table.get(KEY)?.readUInt8() ?? 0;
  const keys = [...table.keys({ start: Buffer.of(0), end: KEY })];
  return keys.length === number ? number : NaN;
}

for (const syncEachCommit of [true, false]) {
  orderedStoreConformance(`on a disk in memory, synced ${syncEachCommit}`, async () =>
    open(new MemoryDisk(), syncEachCommit),
  );
}

test("a store that syncs each commit has them all after a power cut", async (t) => {
  const disk = new MemoryDisk();
  await count(disk, 1, 5, true);
  disk.cut();
  t.is(counted(disk), 5);
});

test("a store that syncs later has what sync waited for, and some more", async (t) => {
  let fault: DiskFault | undefined;
  const found = new Set<number>();
  for (let seed = 0; seed < 30; seed++) {
    fault = undefined;
    const disk = new MemoryDisk();
    const view = disk.view({ fault: ({ what }) => (what === "datasync" ? fault : undefined) });
    await (await count(view, 1, 3, false)).sync();
    fault = "lie";
    await count(view, 4, 90, false);
    disk.cut(seededRandom(seed));
    found.add(counted(disk));
  }
  t.true([...found].every((number) => number >= 3 && number <= 90));
  t.true(found.size > 3);
});

test("a commit that the disk refuses isn't seen, and the next one is", async (t) => {
  let fault: DiskFault | undefined;
  const disk = new MemoryDisk();
  const view = disk.view({ fault: ({ what }) => (what === "write" ? fault : undefined) });
  const store = await count(view, 1, 3, true);
  const table = store.table("some");
  for (const code of ["EIO", "ENOSPC"] as const) {
    fault = code;
    const write = store.write((batch) => batch.put(table, KEY, Buffer.of(9)));
    await t.throwsAsync(() => write, { code });
    t.is(table.get(KEY)?.readUInt8(), 3);
  }
  fault = undefined;
  await count(view, 4, 4, true);
  t.is(counted(disk), 4);
});

test("two stores of two copies of a disk go ways of their own", async (t) => {
  const disk = new MemoryDisk();
  await (await count(disk, 1, 2, true)).close();
  const copy = disk.copy();
  await count(disk, 3, 5, true);
  t.is(counted(disk), 5);
  t.is(counted(copy), 2);
});
