// Beyond what redundancy covers: an error, quickly, and never wrong bytes.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { E2eCluster } from "../../testing/e2e/e2e-cluster.ts";
import {
  assertAllWhole,
  drawSeed,
  MIB,
  seededFiles,
  timeMs,
  writeAllSeeded,
} from "../../testing/e2e/e2e-files.ts";

/** Within seconds; the margin is for a machine that runs two such tests at once. */
const MAX_ERROR_MS = 10_000;

test.serial(
  "three dead nodes of six give EIO within seconds, and nothing is lost when they return",
  async (t) => {
    const cluster = await E2eCluster.up(t);
    // All too large to be inline in the metadata, so that every byte needs four nodes.
    const files = seededFiles(drawSeed(t), [100_000, 4 * MIB, 21 * MIB]);
    await writeAllSeeded(cluster.mnt, files);
    await cluster.demo("remount");
    await cluster.kill(1, 3, 5);
    for (const file of files) {
      const tookMs = await timeMs(() =>
        t.throwsAsync(readFile(join(cluster.mnt, file.name)), { code: "EIO" }),
      );
      t.log(`${file.name}: EIO after ${tookMs.toFixed(0)} ms`);
      t.true(tookMs < MAX_ERROR_MS);
    }
    await cluster.waitForUpNodes(3);
    const { code, stdout } = await cluster.run(["status"]);
    t.is(code, 6);
    t.regex(stdout, /what to do/);
    await cluster.start(1, 3, 5);
    await cluster.demo("remount");
    await assertAllWhole(t, cluster.mnt, files, "the nodes back");
  },
);
