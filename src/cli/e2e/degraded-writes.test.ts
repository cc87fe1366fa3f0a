// Writing goes on with nodes dead, and what was written then is as safe as the rest.
import test from "ava";
import { E2eCluster, HANG_MS } from "../../testing/e2e/e2e-cluster.ts";
import {
  assertAllWhole,
  drawSeed,
  MIB,
  seededFiles,
  writeAllSeeded,
} from "../../testing/e2e/e2e-files.ts";

const SIZES = [1, 5000, 200_000, 4 * MIB + 1, 33 * MIB];

test.serial(
  "writes go on with one and with two nodes dead, and are read after the nodes return",
  async (t) => {
    t.timeout(HANG_MS);
    const cluster = await E2eCluster.up(t);
    const seed = drawSeed(t);
    await cluster.kill(1);
    const withOneDead = seededFiles(seed, SIZES, "one-dead/");
    await writeAllSeeded(cluster.mnt, withOneDead);
    await cluster.kill(2);
    const withTwoDead = seededFiles(seed + 100, SIZES, "two-dead/");
    await writeAllSeeded(cluster.mnt, withTwoDead);
    // By now the cluster knows, and places around the dead ones.
    await cluster.waitForUpNodes(4);
    const withTwoKnown = seededFiles(seed + 200, SIZES, "two-known/");
    await writeAllSeeded(cluster.mnt, withTwoKnown);

    const all = [...withOneDead, ...withTwoDead, ...withTwoKnown];
    await cluster.demo("remount");
    await assertAllWhole(t, cluster.mnt, all, "the two still dead");
    await cluster.start(1, 2);
    await cluster.demo("remount");
    await assertAllWhole(t, cluster.mnt, all, "the two back");
  },
);

test.serial(
  "what was written with two nodes dead survives another two, once repair is done",
  async (t) => {
    t.timeout(HANG_MS);
    const cluster = await E2eCluster.up(t);
    await cluster.kill(3, 4);
    const files = seededFiles(drawSeed(t), SIZES);
    await writeAllSeeded(cluster.mnt, files);
    await cluster.start(3, 4);
    await cluster.waitUntil("every placement group clean", async () => {
      const { groups, health } = await cluster.status();
      return groups.dirty === 0 && health === "ok";
    });
    await cluster.kill(1, 6);
    await cluster.demo("remount");
    await assertAllWhole(t, cluster.mnt, files, "another two dead");
  },
);
