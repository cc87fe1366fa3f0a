import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { orderedStoreConformance } from "../../testing/store/ordered-store-conformance.ts";
import { fillStore } from "../../testing/store/full-store-process.ts";
import { MemoryStore } from "../../testing/store/memory-store.ts";
import { openLmdbStore } from "./open-lmdb-store.ts";

async function directoryFor(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dfs-store-"));
  t.teardown(() => rm(directory, { recursive: true }));
  return directory;
}

for (const syncEachCommit of [true, false]) {
  const what = `lmdb, ${syncEachCommit ? "each commit synced" : "synced later"}`;
  orderedStoreConformance(what, async (t) =>
    openLmdbStore({ directory: await directoryFor(t), what, syncEachCommit }),
  );

  test(`${what}: on a full disk a write is refused, nothing else is lost`, async (t) => {
    const directory = await directoryFor(t);
    const { written, codes } = await fillStore(directory, 1024, syncEachCommit);
    t.true(written > 1);
    t.is(codes.length, 4);
    t.true(codes.every((code) => code === "EIO" || code === "ENOSPC"));
    const store = openLmdbStore({ directory, what, syncEachCommit });
    const keys = [...store.table("some").keys({ start: Buffer.of(0) })];
    // The first was removed while the disk was full.
    t.deepEqual(
      keys.map((key) => key.readUInt32BE()),
      Array.from({ length: written - 1 }, (_, index) => index + 1),
    );
    await store.close();
  });
}

orderedStoreConformance("memory", () => Promise.resolve(new MemoryStore()));

test("what was committed is there when the store is opened again", async (t) => {
  const directory = await directoryFor(t);
  for (const syncEachCommit of [true, false, true]) {
    const store = openLmdbStore({ directory, what: "it", syncEachCommit });
    const table = store.table("some");
    const count = table.get(Buffer.from("count"))?.readUInt8() ?? 0;
    await store.write((batch) => batch.put(table, Buffer.from("count"), Buffer.of(count + 1)));
    await store.close();
  }
  const store = openLmdbStore({ directory, what: "it", syncEachCommit: false });
  t.is(store.table("some").get(Buffer.from("count"))?.readUInt8(), 3);
  await store.close();
});
