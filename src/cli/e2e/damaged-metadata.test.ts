// The metadata server's journal is damaged: it doesn't go on from there unasked.
import { cp, open, readdir, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
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
const SHARD_FILE = / [0-9a-f]+-[0-9a-f]+-[0-9a-f]+$/;
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

/** Files of shards on all nodes; shards of the files here are too large for a node's index. */
async function shardFiles({ directory }: E2eCluster): Promise<string[]> {
  // The mount stands there as well, and doesn't answer while the metadata server is away.
  const nodes = (await readdir(directory)).filter((name) => name.startsWith("node-"));
  const names = await Promise.all(
    nodes.map((node) => readdir(join(directory, node), { recursive: true })),
  );
  return names
    .flatMap((all, at) => all.map((name) => `${nodes[at]}: ${basename(name)}`))
    .filter((name) => SHARD_FILE.test(name));
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
    const shards = await shardFiles(cluster);
    t.true(shards.length >= SHARDS, `${shards.length} shards`);
    const data = join(cluster.directory, "meta");
    const [whole, damaged] = [join(cluster.scratch, "whole"), join(cluster.scratch, "damaged")];
    const { path, sizeBytes } = await longestJournal(join(data, "meta"));
    await cp(data, whole, { recursive: true });
    await flipBit(path, sizeBytes >>> 1);
    await cp(data, damaged, { recursive: true });
    for (let start = 0; start < 2; start += 1) {
      const { code, stderr } = await cluster.run(["meta", "--data", data, "--port", "0"]);
      t.is(code, 1);
      t.regex(stderr, /journal-\d+ is broken at byte \d+/);
      t.regex(stderr, /dfs meta restore.*dfs meta --accept-loss/);
    }
    // A better copy of the metadata finds all data there.
    await replaceDirectory(data, whole);
    await cluster.start("meta");
    await cluster.waitForUpNodes(6);
    await cluster.demo("remount");
    await assertAllWhole(t, cluster.mnt, files, "with the metadata as it was");
    // With none at hand the loss is accepted.
    await cluster.kill("meta");
    await replaceDirectory(data, damaged);
    const { port } = new URL(present((await cluster.report()).meta.url));
    const accepting = ["meta", "--data", data, "--port", port, "--accept-loss"];
    const { stdout } = await cluster.run(accepting, { timeoutMs: JOBS_RUN_MS });
    t.regex(stdout, /dfs metadata server at/);
    const kept = new Set(await shardFiles(cluster));
    t.deepEqual(
      shards.filter((shard) => !kept.has(shard)),
      [],
      "what the metadata doesn't know of is kept",
    );
    await cluster.start("meta");
    await cluster.waitForUpNodes(6);
    await cluster.demo("remount");
    const found = await readdir(cluster.mnt);
    t.true(found.length > 0 && found.length < files.length, `${found.length} files are left`);
    // Of the newest one perhaps only the name was left.
    const left = files.filter(({ name }) => found.includes(name)).slice(0, -1);
    await assertAllWhole(t, cluster.mnt, left, "from before the loss");
  },
);

async function replaceDirectory(directory: string, by: string): Promise<void> {
  await rm(directory, { recursive: true });
  await cp(by, directory, { recursive: true });
}
