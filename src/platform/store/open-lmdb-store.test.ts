import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
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

test("a file that is no database, or cut short, is refused", async (t) => {
  const whole = await directoryFor(t);
  const store = openLmdbStore({ directory: whole, what: "the store", syncEachCommit: true });
  const table = store.table("some");
  for (let index = 0; index < 50; index += 1) {
    await store.write((batch) => batch.put(table, Buffer.of(index), Buffer.alloc(3000)));
  }
  await store.close();
  const file = await readFile(join(whole, "data.mdb"));
  const damaged = {
    garbage: [Buffer.alloc(65_536, 7), /the store is damaged: .*data.mdb is no lmdb file/],
    "zeroes in front": [Buffer.from(file).fill(0, 0, 8192), /is no lmdb file/],
    "a spoilt second page": [Buffer.from(file).fill(0, 4096, 8192), /is no lmdb file/],
    "its beginning": [file.subarray(0, 20_000), /is cut short/],
    "a part of a page": [file.subarray(0, 100), /is no lmdb file/],
  } as const;
  for (const [what, [bytes, message]] of Object.entries(damaged)) {
    const directory = await directoryFor(t);
    await writeFile(join(directory, "data.mdb"), bytes);
    const options = { directory, what: "the store", syncEachCommit: true };
    t.throws(() => openLmdbStore(options), { code: "EIO", message }, what);
  }
  for (const bytes of [file, Buffer.alloc(0)]) {
    const directory = await directoryFor(t);
    await writeFile(join(directory, "data.mdb"), bytes);
    const copy = openLmdbStore({ directory, what: "the store", syncEachCommit: true });
    t.is(copy.table("some").get(Buffer.of(49))?.length, bytes.length > 0 ? 3000 : undefined);
    await copy.close();
  }
});
