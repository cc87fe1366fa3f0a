// The mount's process dies with -9 while files are written.
import { readdir } from "node:fs/promises";
import test from "ava";
import { E2eCluster, HANG_MS } from "../../testing/e2e/e2e-cluster.ts";
import {
  assertAllWhole,
  drawSeed,
  MIB,
  rightBytes,
  type SeededFile,
  seededFiles,
  writeSeeded,
} from "../../testing/e2e/e2e-files.ts";

const SIZES = Array.from({ length: 4000 }, (_, i) =>
  i % 8 === 0 ? 13 * MIB + i : 2500 * (i % 40),
);

/** Writes until it fails; returns what was acknowledged, and the file that was not. */
async function writeUntilBroken(
  directory: string,
  files: readonly SeededFile[],
): Promise<{ acknowledged: SeededFile[]; broken: SeededFile | undefined }> {
  const acknowledged: SeededFile[] = [];
  for (const file of files) {
    try {
      await writeSeeded(directory, file);
    } catch {
      return { acknowledged, broken: file };
    }
    acknowledged.push(file);
  }
  return { acknowledged, broken: undefined };
}

test.serial(
  "a killed client loses no acknowledged file and shows no wrong byte of the others",
  async (t) => {
    t.timeout(HANG_MS);
    const cluster = await E2eCluster.up(t);
    const files = seededFiles(drawSeed(t), SIZES);
    const writing = writeUntilBroken(cluster.mnt, files);
    await cluster.waitUntil("some files", async () => (await readdir(cluster.mnt)).length > 30);
    await cluster.kill("mount");
    const { acknowledged, broken } = await writing;
    t.truthy(broken, "the writer must have been interrupted, else this shows nothing");
    t.is((await cluster.report()).mountState, "stale");
    await cluster.start("mount");
    await assertAllWhole(t, cluster.mnt, acknowledged, "after the crash");
    if (broken !== undefined && (await readdir(cluster.mnt)).includes(broken.name)) {
      const right = await rightBytes(cluster.mnt, broken);
      t.not(right, -1, "the interrupted file has bytes that nobody wrote there");
      t.log(`the interrupted file shows ${right} of ${broken.sizeBytes} bytes`);
    }

    // The dead client's session is given up after a minute, then gc looks for what it left.
    await cluster.waitUntil("no shard without a file", async () => {
      const kept = (await cluster.status()).nodes.reduce((sum, { shards }) => sum + shards, 0);
      return kept === (await shardsOfAllFiles(cluster));
    });
    await assertAllWhole(t, cluster.mnt, acknowledged, "after gc");
  },
);

interface FileStripes {
  stripes: { slice: number; index: number; shards: unknown[] }[];
}

/** Shards that the files' extents name, each once: small files share slices. */
async function shardsOfAllFiles(cluster: E2eCluster): Promise<number> {
  const stripes = new Map<string, number>();
  for (const name of await readdir(cluster.mnt)) {
    const { stdout } = await cluster.run(["info", `/${name}`, "--json"]);
    for (const { slice, index, shards } of (JSON.parse(stdout) as FileStripes).stripes) {
      stripes.set(`${slice}-${index}`, shards.length);
    }
  }
  return [...stripes.values()].reduce((sum, shards) => sum + shards, 0);
}
