// What was deleted while a node was away doesn't come back to life with it.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { E2eCluster, HANG_MS } from "../../testing/e2e/e2e-cluster.ts";
import {
  assertAllWhole,
  drawSeed,
  MIB,
  seededFiles,
  writeAllSeeded,
} from "../../testing/e2e/e2e-files.ts";

process.env["DFS_GC_GRACE_MS"] = "1500";

const SIZES = [200_000, 300_000, 4 * MIB, 9 * MIB];

test.serial(
  "shards of files deleted while a node was down go when it is back, its mount living on",
  async (t) => {
    t.timeout(HANG_MS);
    const cluster = await E2eCluster.up(t);
    const seed = drawSeed(t);
    const kept = seededFiles(seed, SIZES, "kept/");
    const deleted = seededFiles(seed + 100, SIZES, "deleted/");
    await writeAllSeeded(cluster.mnt, [...kept, ...deleted]);
    await cluster.kill(2);
    await cluster.waitForUpNodes(5);
    for (const { name } of deleted) await rm(join(cluster.mnt, name));
    await cluster.waitUntil("tombstones that wait for one node", async () => {
      const waiting = (await cluster.status()).nodes.filter(({ deadSlices }) => deadSlices > 0);
      return waiting.length === 1 && waiting[0]?.state === "down";
    });
    await cluster.start(2);
    await cluster.waitUntil("every group clean, nothing left to delete", async () => {
      const { groups, health, nodes } = await cluster.status();
      const shards = nodes.map((node) => node.shards);
      // Six blocks are kept: two small ones, a whole one, three of the last file.
      return (
        groups.dirty === 0 &&
        health === "ok" &&
        nodes.every(({ deadSlices }) => deadSlices === 0) &&
        shards.every((count) => count === 6)
      );
    });
    await assertAllWhole(t, cluster.mnt, kept, "after the node's return");
  },
);
