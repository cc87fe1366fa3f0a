// Random operations on a real mount, byte by byte against a model; DFS_TEST_LONG=1 for the long
// run.
import test, { type ExecutionContext } from "ava";
import { CHUNK_BYTES } from "../../domain/format.ts";
import { E2eCluster } from "../../testing/e2e/e2e-cluster.ts";
import { drawSeed } from "../../testing/e2e/e2e-files.ts";
import { Fsx, type FsxOptions } from "../../testing/fsx/fsx.ts";

const LONG = process.env["DFS_TEST_LONG"] === "1";
const LONG_TIMEOUT_MS = 3_600_000;
const WINDOW_BYTES = 256 * 1024;
/** The middle of the window is where a chunk ends. */
const ACROSS_CHUNKS = CHUNK_BYTES - WINDOW_BYTES / 2;

async function exercise(t: ExecutionContext, options: FsxOptions): Promise<void> {
  const counts = await Fsx.run({ ...options, windowBytes: WINDOW_BYTES });
  t.log([...counts].map(([name, count]) => `${count} × ${name}`).join(", "));
  t.pass();
}

test.serial("every byte reads as it was last written, over remounts too", async (t) => {
  if (LONG) t.timeout(LONG_TIMEOUT_MS);
  const seed = drawSeed(t);
  const cluster = await E2eCluster.up(t, { nodes: 3 });
  const common = {
    directories: [cluster.mnt],
    direct: true,
    remount: async () => {
      await cluster.demo("remount");
    },
    remountEvery: LONG ? 20_000 : 2000,
  };
  const operations = LONG ? 100_000 : 2500;
  await exercise(t, { ...common, seed, operations });
  await exercise(t, { ...common, seed: seed + 1, operations, base: ACROSS_CHUNKS });
});

test.serial("two clients that take turns see each other's every byte at each open", async (t) => {
  if (LONG) t.timeout(LONG_TIMEOUT_MS);
  const seed = drawSeed(t);
  const cluster = await E2eCluster.up(t, { nodes: 3 });
  const directories = [cluster.mnt, await cluster.mountAgain(t, "second")];
  const common = { directories, operations: LONG ? 25_000 : 750, turnEvery: 15 };
  await exercise(t, { ...common, seed });
  await exercise(t, { ...common, seed: seed + 1, base: ACROSS_CHUNKS });
});

test.serial("with the write-back cache of the kernel no byte is different", async (t) => {
  if (LONG) t.timeout(LONG_TIMEOUT_MS);
  const seed = drawSeed(t);
  const cluster = await E2eCluster.up(t, { nodes: 3, mount: false });
  const directories = [await cluster.mountAgain(t, "writeback", "-o", "writeback")];
  await exercise(t, { directories, seed, operations: LONG ? 50_000 : 1500, base: ACROSS_CHUNKS });
});
