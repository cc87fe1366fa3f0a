// An index of which a flush has failed: the kernel then takes pages for clean that never reached
// the disk, and later flushes succeed without them. Until power is lost all of it can be read; so
// the next start copies it into a new file, whose flush tells the truth.
import { join } from "node:path";
import { syncDirectory, type Disk } from "../../platform/disk/disk.ts";
import type { OpenStore, OrderedStore, StoreTable } from "../../platform/store/ordered-store.ts";

const INDEX_TABLES = ["shards", "packed", "groups", "state", "parked", "trash"] as const;
/** Stands in a node's directory from a failed flush on until the index was copied. */
const MARK = "index-flush-failed";
/** Copied in one transaction. */
const BATCH_BYTES = 1024 * 1024;
/** Before every key. */
const NO_KEY = Buffer.alloc(1);

export function indexDirectory(nodeDirectory: string): string {
  return join(nodeDirectory, "index");
}

/** A table of the index; those are all, so that a copy misses none. */
export function indexTable(store: OrderedStore, name: (typeof INDEX_TABLES)[number]): StoreTable {
  return store.table(name);
}

/**
 * A flush has failed. The mark isn't on disk when this returns: a power cut makes it needless. A
 * disk that doesn't even take it leaves the next start to believe what it reads.
 */
export function markFlushFailed(disk: Disk, nodeDirectory: string): void {
  try {
    disk.openSync(join(nodeDirectory, MARK), "replace", 0o640).closeSync();
  } catch {
    // The failed flush itself is what the process ends with.
  }
}

/**
 * Puts a copy in the place of an index of which a flush has failed; before the index is opened.
 * @throws FsError EIO, ENOSPC: the index is as it was
 */
export async function salvageIndex(
  disk: Disk,
  nodeDirectory: string,
  openStore: OpenStore,
): Promise<void> {
  const mark = join(nodeDirectory, MARK);
  const directory = indexDirectory(nodeDirectory);
  const [copy, old] = [`${directory}.copy`, `${directory}.old`];
  if ((await disk.facts(mark)) === undefined) return;
  // A start that ended between the two renames below has left no index in its place.
  if ((await disk.facts(directory)) === undefined) await disk.rename(old, directory);
  await disk.removeTree(copy);
  await disk.removeTree(old);
  await copyStore(openStore, directory, copy);
  await disk.rename(directory, old);
  await disk.rename(copy, directory);
  await syncDirectory(disk, nodeDirectory);
  await disk.remove(mark);
  await disk.removeTree(old);
}

async function copyStore(openStore: OpenStore, from: string, to: string): Promise<void> {
  const what = "the node's index";
  const source = openStore({ directory: from, what, syncEachCommit: false });
  const target = openStore({ directory: to, what, syncEachCommit: false });
  for (const name of INDEX_TABLES) {
    const table = indexTable(target, name);
    for (const batch of batchesOf(indexTable(source, name))) {
      await target.write((writes) => {
        for (const { key, value } of batch) writes.put(table, key, value);
      });
    }
  }
  await target.sync();
  await target.close();
  await source.close();
}

function* batchesOf(table: StoreTable): Generator<{ key: Buffer; value: Buffer }[]> {
  let batch: { key: Buffer; value: Buffer }[] = [];
  let bytes = 0;
  for (const { key, value } of table.range({ start: NO_KEY })) {
    batch.push({ key: Buffer.from(key), value: Buffer.from(value) });
    bytes += key.length + value.length;
    if (bytes < BATCH_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}
