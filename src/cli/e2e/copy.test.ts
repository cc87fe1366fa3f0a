// The main job: files in, any two nodes dead, the same bytes out.
import { readdir, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { E2eCluster } from "../../testing/e2e/e2e-cluster.ts";
import {
  assertAllWhole,
  drawSeed,
  MIB,
  seededFiles,
  writeAllSeeded,
} from "../../testing/e2e/e2e-files.ts";
import { present } from "../../testing/present.ts";

const NODES = [1, 2, 3, 4, 5, 6];

/** Around every boundary of the layout: inline, cell, block, chunk. */
const SIZES = [
  0,
  1,
  4095,
  4096,
  16 * 1024,
  16 * 1024 + 1,
  64 * 1024 - 1,
  256 * 1024 + 7,
  4 * MIB - 1,
  4 * MIB,
  4 * MIB + 1,
  9 * MIB + 3,
  64 * MIB + 1,
  100 * MIB,
];

test.serial("files of every size come back byte-identical from cold caches", async (t) => {
  const cluster = await E2eCluster.up(t);
  const files = seededFiles(drawSeed(t), SIZES);
  await writeAllSeeded(cluster.mnt, files);
  await assertAllWhole(t, cluster.mnt, files, "from the mount that wrote them");
  await cluster.demo("remount");
  await assertAllWhole(t, cluster.mnt, files, "after mounting anew");
  for (const file of files) {
    t.is((await stat(join(cluster.mnt, file.name))).size, file.sizeBytes);
  }
  t.is((await readdir(cluster.mnt)).length, files.length);
});

test.serial(
  "any two of six nodes may be dead: all fifteen pairs read the same bytes",
  async (t) => {
    const cluster = await E2eCluster.up(t);
    const files = seededFiles(drawSeed(t), [1, 20_000, 300_000, 4 * MIB + 1, 11 * MIB]);
    await writeAllSeeded(cluster.mnt, files);
    for (const first of NODES) {
      for (const second of NODES.filter((node) => node > first)) {
        await cluster.kill(first, second);
        await cluster.demo("remount");
        await assertAllWhole(t, cluster.mnt, files, `nodes ${first} and ${second} dead`);
        await cluster.start(first, second);
      }
    }
  },
);

test.serial("a file's time and mode are kept to the nanosecond and the bit", async (t) => {
  const cluster = await E2eCluster.up(t, { nodes: 1 });
  const file = present(seededFiles(drawSeed(t), [1000])[0]);
  await writeAllSeeded(cluster.mnt, [file]);
  const path = join(cluster.mnt, file.name);
  // A binary fraction, so that the floating-point interface of utimes is exact.
  await utimes(path, 1_600_000_000.5, 1_500_000_000.25);
  await cluster.demo("remount");
  const { mtimeNs, atimeNs } = await stat(path, { bigint: true });
  t.is(mtimeNs, 1_500_000_000_250_000_000n);
  t.is(atimeNs, 1_600_000_000_500_000_000n);
});
