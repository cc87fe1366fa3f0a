// A node that hangs (SIGSTOP) answers nothing and refuses nothing: the worst kind of dead.
import { open } from "node:fs/promises";
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

/** The promise is 2 s; the rest is margin for a machine that runs two such tests at once. */
const MAX_STALL_MS = 10_000;

/** The longest that one of the calls of a sequential read or write took. */
async function longestCall(path: string, flags: "r" | "w", sizeBytes: number): Promise<number> {
  const piece = Buffer.alloc(MIB, 5);
  let longestMs = 0;
  const call = async (work: () => Promise<unknown>): Promise<void> => {
    longestMs = Math.max(longestMs, await timeMs(work));
  };
  const handle = await open(path, flags);
  for (let at = 0; at < sizeBytes; at += MIB) {
    await call(() => (flags === "r" ? handle.read(piece, 0, MIB, at) : handle.write(piece)));
  }
  await call(() => handle.close());
  return longestMs;
}

test.serial("a hung node stalls neither reads nor writes for more than a moment", async (t) => {
  t.timeout(300_000);
  const cluster = await E2eCluster.up(t);
  const files = seededFiles(drawSeed(t), [64 * MIB, 5000, 100_000]);
  await writeAllSeeded(cluster.mnt, files);
  await cluster.demo("remount");
  await cluster.demo("pause", "4");

  const readMs = await longestCall(join(cluster.mnt, files[0]?.name ?? ""), "r", 64 * MIB);
  const writeMs = await longestCall(join(cluster.mnt, "written"), "w", 64 * MIB);
  t.log(`longest call with a hung node: read ${readMs.toFixed(0)}, write ${writeMs.toFixed(0)} ms`);
  t.true(readMs < MAX_STALL_MS);
  t.true(writeMs < MAX_STALL_MS);

  await cluster.demo("remount");
  await assertAllWhole(t, cluster.mnt, files, "one node hung");
  await cluster.demo("resume", "4");
  await cluster.waitForUpNodes(6);
  await assertAllWhole(t, cluster.mnt, files, "the node back");
});

test.serial(
  "a node that hangs while it is written to stalls the writer for a moment only",
  async (t) => {
    const cluster = await E2eCluster.up(t);
    const writing = longestCall(join(cluster.mnt, "written"), "w", 200 * MIB);
    await cluster.demo("pause", "2");
    const writeMs = await writing;
    t.log(`longest call while a node began to hang: ${writeMs.toFixed(0)} ms`);
    t.true(writeMs < MAX_STALL_MS);
    await cluster.demo("resume", "2");
  },
);
