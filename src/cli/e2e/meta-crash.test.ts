// The metadata server dies with -9 in mid-copy.
import test from "ava";
import { E2eCluster, HANG_MS } from "../../testing/e2e/e2e-cluster.ts";
import {
  assertAllWhole,
  drawSeed,
  MIB,
  seededFiles,
  writeSeeded,
} from "../../testing/e2e/e2e-files.ts";

const SIZES = Array.from({ length: 120 }, (_, i) => (i % 10 === 0 ? 9 * MIB + i : 3000 * (i + 1)));
const KILL_AFTER_FILES = 40;

test.serial(
  "a metadata server killed in mid-copy loses nothing, and the mount reconnects by itself",
  async (t) => {
    t.timeout(HANG_MS);
    const cluster = await E2eCluster.up(t);
    const files = seededFiles(drawSeed(t), SIZES);
    let crash = Promise.resolve();
    for (const [i, file] of files.entries()) {
      if (i === KILL_AFTER_FILES) {
        // The copy goes on meanwhile: it waits, and must not fail.
        crash = cluster.kill("meta").then(() => cluster.start("meta"));
      }
      await writeSeeded(cluster.mnt, file);
    }
    await crash;
    await assertAllWhole(t, cluster.mnt, files, "from the mount that lived through it");
    await cluster.demo("remount");
    await assertAllWhole(t, cluster.mnt, files, "after mounting anew");
    await cluster.waitForUpNodes(6);
  },
);

test.serial(
  "storage nodes and logins are still known after the metadata server was killed",
  async (t) => {
    const cluster = await E2eCluster.up(t, { nodes: 3 });
    await cluster.kill("meta");
    t.is((await cluster.run(["status"])).code, 5);
    await cluster.start("meta");
    await cluster.waitForUpNodes(3);
    t.regex(await cluster.dfs("whoami"), /^admin/);
  },
);
