// Compaction and packing on a real cluster: what was fragmented or tiny becomes stripes, and
// readers, with old handles too, never notice.
import { open, readFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { FileLayout } from "../../files/file-layout.ts";
import { E2eCluster, Teardowns, HANG_MS } from "../../testing/e2e/e2e-cluster.ts";
import {
  assertAllWhole,
  drawSeed,
  seededFiles,
  writeAllSeeded,
} from "../../testing/e2e/e2e-files.ts";
import { seededRandom } from "../../testing/seeded-random.ts";
import { present } from "../../testing/present.ts";

// Inherited by the cluster's metadata server.
process.env["DFS_TIDY_INTERVAL_MS"] = "1000";
process.env["DFS_PACK_AFTER_MS"] = "2000";
process.env["DFS_GC_GRACE_MS"] = "1500";

const PAGE_BYTES = 4096;
const PAGES = 512;
const WRITES = 700;
/**
 * No run of extents that are 32 KiB or longer on average is worth rewriting; the rest is for edges.
 */
const FEW_EXTENTS = (PAGES * PAGE_BYTES) / (32 * 1024) + 16;
const TINY_FILES = 400;
const TINY_BYTES = 4000;

const teardowns = new Teardowns();
let cluster: E2eCluster;

test.before(async () => {
  cluster = await E2eCluster.up(teardowns);
});
test.after.always(() => teardowns.run());

async function layoutOf(path: string): Promise<FileLayout> {
  return JSON.parse(await cluster.dfs("info", path, "--json")) as FileLayout;
}

async function doneBy(job: string): Promise<number> {
  const { jobs } = await cluster.status();
  return present(jobs.find(({ name }) => name === job)).done ?? 0;
}

/**
 * Reads the whole file through the handle again and again until told to stop. Returns how often.
 */
async function readInLoop(
  t: ExecutionContext,
  handle: FileHandle,
  expected: Buffer,
  stopped: () => boolean,
): Promise<number> {
  const buffer = Buffer.alloc(expected.length);
  let rounds = 0;
  for (; !stopped() || rounds === 0; rounds += 1) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    if (bytesRead !== expected.length || !buffer.equals(expected)) {
      t.fail(`wrong bytes in round ${rounds}`);
      break;
    }
  }
  return rounds;
}

test.serial("random page writes, synced each, become few stripes while others read", async (t) => {
  t.timeout(HANG_MS);
  const random = seededRandom(drawSeed(t));
  const path = join(cluster.mnt, "pages");
  const writer = await open(path, "w+");
  t.teardown(() => writer.close());
  const bytes = Buffer.alloc(PAGES * PAGE_BYTES, 1);
  await writer.write(bytes, 0, bytes.length, 0);
  await writer.sync();
  const before = await doneBy("compaction");
  for (let count = 0; count < WRITES; count += 1) {
    const position = random.below(PAGES) * PAGE_BYTES;
    const page = random.bytes(PAGE_BYTES);
    await writer.write(page, 0, PAGE_BYTES, position);
    await writer.datasync();
    page.copy(bytes, position);
  }
  const reader = await open(path, "r");
  t.teardown(() => reader.close());
  let done = false;
  const reading = readInLoop(t, reader, bytes, () => done);
  try {
    await cluster.waitUntil("the file in few extents", async () => {
      const { extents } = await layoutOf("/pages");
      return extents.length < FEW_EXTENTS && (await doneBy("compaction")) > before;
    });
    // What it was moved from is deleted, under the hands of those who read.
    const deleted = await doneBy("gc");
    await cluster.waitUntil("the old slices deleted", async () => {
      return deleted > 0 || (await doneBy("gc")) > 0;
    });
  } finally {
    done = true;
  }
  t.true((await reading) > 0);
  // Written meanwhile through a handle that knows the file from before.
  await writer.write(Buffer.alloc(100, 7), 0, 100, 5000);
  await writer.sync();
  bytes.fill(7, 5000, 5100);
  t.true((await readFile(path)).equals(bytes));
});

test.serial("tiny files move out of the metadata into shared stripes", async (t) => {
  t.timeout(HANG_MS);
  const sizes = Array.from({ length: TINY_FILES }, (_, index) => TINY_BYTES + index);
  const files = seededFiles(drawSeed(t), sizes, "tiny/");
  const before = await doneBy("packing");
  await writeAllSeeded(cluster.mnt, files);
  const first = present(files[0]).name;
  await cluster.waitUntil("the tiny files packed", async () => {
    return (await doneBy("packing")) >= before + TINY_FILES / 2;
  });
  await cluster.waitUntil("the first of them packed", async () => {
    return (await layoutOf(`/${first}`)).extents[0]?.inline === false;
  });
  const { stripes } = await layoutOf(`/${first}`);
  t.is(stripes.length, 1);
  t.true(present(present(stripes[0]).lengthBytes) > 100 * TINY_BYTES, "many share a stripe");
  await assertAllWhole(t, cluster.mnt, files, "after packing");
});

test.serial("what was moved survives a killed metadata server and two lost nodes", async (t) => {
  t.timeout(HANG_MS);
  const files = seededFiles(drawSeed(t), Array<number>(260).fill(9000), "late/");
  const expected = await readFile(join(cluster.mnt, "pages"));
  await writeAllSeeded(cluster.mnt, files.slice(0, 100));
  await cluster.kill("meta");
  await cluster.start("meta");
  await writeAllSeeded(cluster.mnt, files.slice(100));
  await cluster.waitUntil("the files of later packed", async () => {
    return (await doneBy("packing")) >= 100;
  });
  await cluster.kill(2, 5);
  await cluster.demo("remount");
  await assertAllWhole(t, cluster.mnt, files, "with two nodes lost");
  t.true((await readFile(join(cluster.mnt, "pages"))).equals(expected));
});
