// The metadata server's journal is damaged: it doesn't go on from there unasked.
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { E2eCluster, HANG_MS } from "../../testing/e2e/e2e-cluster.ts";
import { assertAllWhole, drawSeed, seededFiles, writeSeeded } from "../../testing/e2e/e2e-files.ts";
import { present } from "../../testing/present.ts";

const SIZES = Array.from({ length: 30 }, (_, index) => 100_000 + index);

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function flipBit(path: string, position: number): Promise<void> {
  const file = await open(path, "r+");
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, position);
    byte[0] = present(byte[0]) ^ 4;
    await file.write(byte, 0, 1, position);
  } finally {
    await file.close();
  }
}

/** The journal that has most in it. */
async function longestJournal(directory: string): Promise<{ path: string; sizeBytes: number }> {
  const names = (await readdir(directory)).filter((name) => name.startsWith("journal-"));
  const journals = await Promise.all(
    names.map(async (name) => {
      const path = join(directory, name);
      return { path, sizeBytes: (await stat(path)).size };
    }),
  );
  return present(journals.sort((one, other) => other.sizeBytes - one.sizeBytes)[0]);
}

test.serial(
  "one flipped bit of its journal: the metadata server says what to do, and no data is deleted",
  async (t) => {
    t.timeout(HANG_MS);
    const cluster = await E2eCluster.up(t);
    const files = seededFiles(drawSeed(t), SIZES);
    for (const file of files) {
      await writeSeeded(cluster.mnt, file);
      await syncFile(join(cluster.mnt, file.name));
    }
    await cluster.kill("meta");
    const data = join(cluster.directory, "meta");
    const { path, sizeBytes } = await longestJournal(join(data, "meta"));
    await flipBit(path, sizeBytes >>> 1);
    for (let start = 0; start < 2; start += 1) {
      const { code, stderr } = await cluster.run(["meta", "--data", data, "--port", "0"]);
      t.is(code, 1);
      t.regex(stderr, /journal-\d+ is broken at byte \d+/);
      t.regex(stderr, /dfs meta restore.*dfs meta --accept-loss/);
    }
    // Had anything been deleted, some of them would be gone.
    await flipBit(path, sizeBytes >>> 1);
    await cluster.start("meta");
    await cluster.demo("remount");
    await assertAllWhole(t, cluster.mnt, files, "with the journal as it was");
  },
);
