// The metadata is lost: it comes back from a copy, from the storage nodes alone if need be, and
// mounts that were there go on.
import { readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { E2eCluster, HANG_MS } from "../../testing/e2e/e2e-cluster.ts";
import {
  assertAllWhole,
  drawSeed,
  MIB,
  seededFiles,
  writeAllSeeded,
} from "../../testing/e2e/e2e-files.ts";

process.env["DFS_GC_GRACE_MS"] = "1500";

const SIZES = [100, 5000, 40_000, MIB, 9 * MIB + 7];

/** Where the server keeps its metadata. */
function dataDirectory(cluster: E2eCluster): string {
  return join(cluster.directory, "meta");
}

async function nodeUrls(cluster: E2eCluster): Promise<string[]> {
  return (await cluster.report()).nodes.map(({ url }) => url ?? "");
}

/** Until the survey after a restore has seen all nodes, and all is well again. */
async function waitUntilHealthy(t: ExecutionContext, cluster: E2eCluster): Promise<void> {
  await cluster.waitUntil("health", async () => (await cluster.status()).health === "ok");
  t.pass();
}

test.serial("metadata that is lost with its disk comes back from the nodes alone", async (t) => {
  t.timeout(HANG_MS);
  const cluster = await E2eCluster.up(t);
  const seed = drawSeed(t);
  const before = seededFiles(seed, SIZES, "before/");
  const since = seededFiles(seed + 100, SIZES, "since/");
  await writeAllSeeded(cluster.mnt, before);
  t.regex(await cluster.dfs("meta", "backup"), /coded, to the storage nodes/);
  await writeAllSeeded(cluster.mnt, since);
  // gc is through with what the copy cites.
  await rm(join(cluster.mnt, "before"), { recursive: true });
  await cluster.waitUntil("gc", async () => {
    const { nodes } = await cluster.status();
    const shards = nodes.reduce((sum, node) => sum + node.parked, 0);
    return shards > 0 && nodes.every(({ deadSlices }) => deadSlices === 0);
  });
  const urls = await nodeUrls(cluster);
  await cluster.kill("meta");
  await rm(dataDirectory(cluster), { recursive: true });

  const data = ["--data", dataDirectory(cluster)];
  const nobody = await cluster.run(["recover", "http://127.0.0.1:1", ...data]);
  t.is(nobody.code, 5);
  t.regex(nobody.stderr, /no storage node answers/);
  const told = await cluster.dfs("recover", ...urls, ...data);
  t.regex(told, /6 storage nodes of cluster \S+ answer/);
  t.regex(told, /checksums right/);
  t.regex(told, /Start the server: dfs meta --data/);
  t.notRegex(told, /can't be read/);
  const again = await cluster.run(["recover", ...urls, ...data]);
  t.is(again.code, 1);
  t.regex(again.stderr, /holds metadata already/);

  await cluster.start("meta");
  await cluster.waitForUpNodes(6);
  await assertAllWhole(t, cluster.mnt, before, "from the mount that was there");
  t.deepEqual((await readdir(cluster.mnt)).sort(), ["before"]);
  const after = seededFiles(seed + 200, SIZES, "after/");
  await writeAllSeeded(cluster.mnt, after);
  await cluster.demo("remount");
  await assertAllWhole(t, cluster.mnt, [...before, ...after], "after mounting anew");
  await waitUntilHealthy(t, cluster);
  t.regex(await cluster.dfs("fsck", "--verify"), /nothing is wrong/);
});

test.serial("fsck names the files that can't be read with the nodes that answer", async (t) => {
  t.timeout(HANG_MS);
  const cluster = await E2eCluster.up(t);
  const files = seededFiles(drawSeed(t), [100, MIB], "files/");
  await writeAllSeeded(cluster.mnt, files);
  const whole = await cluster.run(["fsck"]);
  t.is(whole.code, 0, whole.stdout + whole.stderr);
  t.regex(whole.stdout, /data: 1 blocks, 1 of them whole on 6 nodes/);
  await cluster.kill(1, 2, 3);
  const broken = await cluster.run(["fsck"]);
  t.is(broken.code, 6);
  t.regex(broken.stdout, /node missing: nobody answers at http/);
  t.regex(broken.stdout, /1 files can't be read.*\n {2}\/files\/file-1-1048576\n/);
  const { code, stdout } = await cluster.run(["fsck", "--json", "--metadata-only"]);
  t.is(code, 0);
  t.like(JSON.parse(stdout), { left: 0 });
});

test.serial("after a restore of an older copy old mounts and new ones write at once", async (t) => {
  t.timeout(HANG_MS);
  const cluster = await E2eCluster.up(t);
  const seed = drawSeed(t);
  const before = seededFiles(seed, SIZES, "before/");
  const since = seededFiles(seed + 100, SIZES, "since/");
  await writeAllSeeded(cluster.mnt, before);
  const copy = join(cluster.scratch, "copy");
  t.regex(await cluster.dfs("meta", "backup", copy), /checksums right, in/);
  t.is((await stat(copy)).mode & 0o777, 0o600);
  await writeAllSeeded(cluster.mnt, since);

  await cluster.kill("meta");
  await rename(dataDirectory(cluster), join(cluster.scratch, "lost"));
  t.regex(await cluster.dfs("meta", "verify", copy), /checksums right/);
  const told = await cluster.dfs("meta", "restore", copy, "--data", dataDirectory(cluster));
  t.regex(told, /what was written since is not in them/);
  await cluster.start("meta");

  const old = seededFiles(seed + 200, SIZES, "old-mount/");
  await writeAllSeeded(cluster.mnt, old);
  const anew = await cluster.mountAgain(t, "anew");
  const fresh = seededFiles(seed + 300, SIZES, "new-mount/");
  await writeAllSeeded(anew, fresh);
  const all = [...before, ...old, ...fresh];
  for (const mountpoint of [cluster.mnt, anew]) {
    await assertAllWhole(t, mountpoint, all, mountpoint);
    t.deepEqual((await readdir(mountpoint)).sort(), ["before", "new-mount", "old-mount"]);
  }
  const inos = await Promise.all(all.map(async ({ name }) => (await stat(join(anew, name))).ino));
  t.is(new Set(inos).size, all.length);
  await waitUntilHealthy(t, cluster);
  t.regex(await cluster.dfs("fsck", "--verify"), /nothing is wrong/);
});
