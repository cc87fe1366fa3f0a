import test from "ava";
import { syncDirectory, writeAllSync } from "../../platform/disk/disk.ts";
import { seededRandom } from "../seeded-random.ts";
import { MemoryDisk, type DiskFault } from "./memory-disk.ts";

/** A disk with a directory that a cut doesn't take. */
function freshDisk(): MemoryDisk {
  const disk = new MemoryDisk();
  disk.makeDirectorySync("/data/shards");
  disk.persist("/data/shards");
  return disk;
}

function put(disk: MemoryDisk, path: string, text: string): void {
  const file = disk.openSync(path, "replace");
  writeAllSync(file, Buffer.from(text), 0);
  file.closeSync();
}

function textOf(disk: MemoryDisk, path: string): string {
  return disk.readWholeSync(path).toString();
}

test("a power cut takes what was never synced: bytes, names, removals and renames", async (t) => {
  const disk = freshDisk();
  put(disk, "/data/kept", "old");
  put(disk, "/data/gone", "here");
  for (const name of ["kept", "gone"]) disk.persist(`/data/${name}`);
  put(disk, "/data/kept", "new bytes");
  put(disk, "/data/never", "named");
  disk.removeSync("/data/gone");
  disk.makeDirectorySync("/data/folder");
  disk.cut();
  t.is(textOf(disk, "/data/kept"), "old");
  t.is(textOf(disk, "/data/gone"), "here");
  t.deepEqual(disk.listSync("/data").sort(), ["gone", "kept", "shards"]);
  disk.renameSync("/data/gone", "/data/kept");
  t.deepEqual(disk.listSync("/data").sort(), ["kept", "shards"]);
  disk.cut();
  t.is(textOf(disk, "/data/kept"), "old");
  disk.renameSync("/data/gone", "/data/kept");
  await syncDirectory(disk, "/data");
  disk.cut();
  t.is(textOf(disk, "/data/kept"), "here");
});

test("bytes that are synced stay, their name only once its directory is synced", async (t) => {
  const disk = freshDisk();
  const file = disk.openSync("/data/shards/one", "create");
  await file.write(Buffer.from("bytes"), 0, 0);
  await file.datasync();
  const other = disk.copy();
  disk.cut();
  t.deepEqual(disk.listSync("/data/shards"), []);
  other.cut();
  t.is(textOf(other, "/data/shards/one"), "bytes");
});

test("with a seed a cut keeps some of it, torn, and the same of it each time", (t) => {
  const outcomes = new Set<string>();
  for (let seed = 0; seed < 40; seed++) {
    const texts = [seed, seed].map((same) => {
      const disk = freshDisk();
      put(disk, "/data/file", "a".repeat(20_000));
      disk.persist("/data/file");
      put(disk, "/data/file", "b".repeat(30_000));
      disk.cut(seededRandom(same));
      return textOf(disk, "/data/file");
    });
    t.is(texts[0], texts[1]);
    outcomes.add(texts[0] ?? "");
  }
  t.true(outcomes.size > 10);
  t.true([...outcomes].some((text) => text.includes("a") && text.includes("b")));
});

test("what a failed flush dropped is read back until the power goes", async (t) => {
  let fault: DiskFault | undefined;
  const disk = freshDisk();
  const view = disk.view({ fault: ({ what }) => (what === "datasync" ? fault : undefined) });
  put(disk, "/data/file", "old");
  disk.persist("/data/file");
  put(disk, "/data/file", "new");
  const file = view.reopenSync("/data/file");
  fault = "EIO";
  await t.throwsAsync(() => file.datasync(), { code: "EIO" });
  fault = undefined;
  await file.datasync();
  t.is(textOf(disk, "/data/file"), "new");
  disk.cut();
  t.not(textOf(disk, "/data/file"), "new");
});

test("a disk that lies about a flush keeps nothing", async (t) => {
  const disk = freshDisk();
  const view = disk.view({ fault: ({ what }) => (what === "datasync" ? "lie" : undefined) });
  put(disk, "/data/file", "old");
  disk.persist("/data/file");
  const file = view.reopenSync("/data/file");
  await file.write(Buffer.from("new"), 0, 0);
  await file.datasync();
  disk.cut();
  t.is(textOf(disk, "/data/file"), "old");
});

test("a disk fills, and has room again for what was removed", (t) => {
  const disk = freshDisk();
  disk.limit(10);
  put(disk, "/data/one", "123456");
  t.throws(() => put(disk, "/data/two", "123456"), { code: "ENOSPC" });
  t.is(textOf(disk, "/data/two"), "1234");
  t.is(disk.figures("/").freeBytes, 0);
  disk.removeSync("/data/one");
  put(disk, "/data/two", "123456");
  t.is(disk.figures("/").freeBytes, 4);
});
