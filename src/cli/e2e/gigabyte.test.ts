// A GiB of mixed files, with two nodes killed while it is written.
import test from "ava";
import { E2eCluster, HANG_MS } from "../../testing/e2e/e2e-cluster.ts";
import {
  assertAllWhole,
  drawSeed,
  MIB,
  seededFiles,
  timeMs,
  writeAllSeeded,
} from "../../testing/e2e/e2e-files.ts";

/** 1 GiB: a few large files, some of middling size, hundreds of small ones. */
const LARGE = [300 * MIB, 200 * MIB + 1, 128 * MIB];
const MIDDLING = Array.from({ length: 60 }, (_, i) => 6 * MIB + i * 4099);
const SMALL = Array.from({ length: 400 }, (_, i) => 64 + i * 97);

test.serial("a GiB of mixed files survives two nodes that die while it is written", async (t) => {
  t.timeout(HANG_MS);
  const cluster = await E2eCluster.up(t);
  const seed = drawSeed(t);
  const before = seededFiles(seed, [...SMALL, ...MIDDLING], "before/");
  const during = seededFiles(seed + 10_000, LARGE, "during/");
  await writeAllSeeded(cluster.mnt, before);
  const writing = writeAllSeeded(cluster.mnt, during);
  await cluster.kill(2, 5);
  const tookMs = await timeMs(() => writing);
  t.log(`${(628 / (tookMs / 1000)).toFixed(0)} MiB/s written after two nodes died`);
  await cluster.demo("remount");
  await assertAllWhole(t, cluster.mnt, before, "written before, two nodes dead");
  await assertAllWhole(t, cluster.mnt, during, "written while two nodes died");
  await cluster.start(2, 5);
  await cluster.demo("remount");
  await assertAllWhole(t, cluster.mnt, during, "after the nodes' return");
});
