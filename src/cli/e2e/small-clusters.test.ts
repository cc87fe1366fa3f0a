// Fewer nodes than a stripe has shards: they hold several each, and less may be lost.
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { NODE_DOWN_AFTER_MS } from "../../meta/cluster/limits.ts";
import { E2eCluster } from "../../testing/e2e/e2e-cluster.ts";
import {
  assertAllWhole,
  drawSeed,
  MIB,
  seededFiles,
  writeAllSeeded,
} from "../../testing/e2e/e2e-files.ts";
import { present } from "../../testing/present.ts";

const SIZES = [0, 1, 40_000, 4 * MIB + 1, 10 * MIB];

test.serial(
  "one node works, tolerates nothing, and has everything again when it is back",
  async (t) => {
    const cluster = await E2eCluster.up(t, { nodes: 1 });
    const files = seededFiles(drawSeed(t), SIZES);
    await writeAllSeeded(cluster.mnt, files);
    t.is((await cluster.status()).survivesLosses, 0);
    await cluster.demo("remount");
    await cluster.kill(1);
    const large = files.find(({ sizeBytes }) => sizeBytes === 10 * MIB);
    await t.throwsAsync(readFile(join(cluster.mnt, present(present(large).name))), { code: "EIO" });
    await cluster.start(1);
    await cluster.demo("remount");
    await assertAllWhole(t, cluster.mnt, files, "the node back");
  },
);

test.serial("three nodes survive the loss of any one", async (t) => {
  const cluster = await E2eCluster.up(t, { nodes: 3 });
  const files = seededFiles(drawSeed(t), SIZES);
  await writeAllSeeded(cluster.mnt, files);
  t.is((await cluster.status()).survivesLosses, 1);
  for (const node of [1, 2, 3]) {
    await cluster.kill(node);
    await cluster.demo("remount");
    await assertAllWhole(t, cluster.mnt, files, `node ${node} of three dead`);
    await cluster.start(node);
  }
});

test.serial("with three nodes writing and fsync go on when one dies", async (t) => {
  const cluster = await E2eCluster.up(t, { nodes: 3 });
  const file = await open(join(cluster.mnt, "log"), "w");
  t.teardown(() => file.close().catch(() => undefined));
  const piece = Buffer.alloc(100_000, "x");
  let written = 0;
  const writeFor = async (milliseconds: number): Promise<void> => {
    const end = performance.now() + milliseconds;
    for (; performance.now() < end; written += piece.length) {
      await file.write(piece, 0, piece.length, written);
      await file.datasync();
    }
  };
  await writeFor(500);
  // Blocks that the dead node should have made durable are another matter than new ones.
  for (let block = 0; block < 64; block += 1, written += piece.length) {
    await file.write(piece, 0, piece.length, written);
    await (await open(join(cluster.mnt, "log"), "r+")).close();
  }
  await cluster.kill(2);
  await file.datasync();
  // Until after the cluster has noticed.
  await writeFor(NODE_DOWN_AFTER_MS + 3000);
  t.is((await readFile(join(cluster.mnt, "log"))).length, written);
});

test.serial("six nodes survive the loss of two, and status says so", async (t) => {
  const cluster = await E2eCluster.up(t, { mount: false });
  const status = await cluster.status();
  t.is(status.survivesLosses, 2);
  t.is(status.health, "ok");
  t.is((await cluster.run(["status"])).code, 0);
});
