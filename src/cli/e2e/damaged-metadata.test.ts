// The metadata server's journal is damaged: it doesn't go on from there unasked.
import { cp, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { E2eCluster, HANG_MS } from "../../testing/e2e/e2e-cluster.ts";
import {
  assertAllWhole,
  drawSeed,
  MIB,
  seededFiles,
  writeSeeded,
} from "../../testing/e2e/e2e-files.ts";
import { present } from "../../testing/present.ts";

const SIZES = Array.from({ length: 30 }, (_, index) => MIB - index);
const SHARDS = SIZES.length * 6;
const SHARD_FILE = /^node-\d+\/.*shards\/[0-9a-f]+\/[0-9a-f]+\/[^/]+$/;
/** Within it a server that infers from what it doesn't know had deleted two thirds. */
const JOBS_RUN_MS = 20_000;

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

/** Those of these files are too large for an index of a node. */
async function countShardFiles(cluster: E2eCluster): Promise<number> {
  const names = await readdir(cluster.directory, { recursive: true });
  return names.filter((name) => SHARD_FILE.test(name)).length;
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
    t.is(await countShardFiles(cluster), SHARDS);
    const data = join(cluster.directory, "meta");
    const { path, sizeBytes } = await longestJournal(join(data, "meta"));
    await cp(data, join(cluster.scratch, "whole"), { recursive: true });
    await flipBit(path, sizeBytes >>> 1);
    for (let start = 0; start < 2; start += 1) {
      const { code, stderr } = await cluster.run(["meta", "--data", data, "--port", "0"]);
      t.is(code, 1);
      t.regex(stderr, /journal-\d+ is broken at byte \d+/);
      t.regex(stderr, /dfs meta restore.*dfs meta --accept-loss/);
    }
    const { port } = new URL(present((await cluster.report()).meta.url));
    const accepting = ["meta", "--data", data, "--port", port, "--accept-loss"];
    const { stdout } = await cluster.run(accepting, { timeoutMs: JOBS_RUN_MS });
    t.regex(stdout, /dfs metadata server at/);
    t.is(await countShardFiles(cluster), SHARDS, "what the metadata doesn't know of is kept");
    // The loss is accepted: the next start is one like any other.
    await cluster.start("meta");
    await cluster.waitForUpNodes(6);
    await cluster.demo("remount");
    const found = await readdir(cluster.mnt);
    t.true(found.length > 0 && found.length < files.length, `${found.length} files are left`);
    // Of the newest one perhaps only the name was left.
    const left = files.filter(({ name }) => found.includes(name)).slice(0, -1);
    await assertAllWhole(t, cluster.mnt, left, "from before the loss");
    // A better copy of the metadata finds all data there.
    await cluster.kill("meta");
    await rm(data, { recursive: true });
    await cp(join(cluster.scratch, "whole"), data, { recursive: true });
    await cluster.start("meta");
    await cluster.waitForUpNodes(6);
    await cluster.demo("remount");
    await assertAllWhole(t, cluster.mnt, files, "with the metadata as it was");
  },
);
