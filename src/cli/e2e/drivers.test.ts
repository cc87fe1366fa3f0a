// The basics, through each of the two FUSE drivers, and which of them is taken.
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { FUSE_DRIVERS } from "../../fuse/driver.ts";
import { assertBasics, assertDegradedReads } from "../../testing/e2e/e2e-basics.ts";
import { E2eCluster } from "../../testing/e2e/e2e-cluster.ts";
import { whyNoFuse, whyNoFuseNative, whyNoRootMount } from "../../testing/fuse/fuse-harness.ts";
import { present } from "../../testing/present.ts";

for (const driver of FUSE_DRIVERS) {
  const why = driver === "channel" ? whyNoFuse() : whyNoFuseNative();
  const driverTest = why === undefined ? test.serial : test.skip;
  const title = (promise: string): string =>
    `${driver}: ${promise}${why === undefined ? "" : ` (${why})`}`;

  driverTest(title("programs see in the mount what they see in a local directory"), async (t) => {
    const cluster = await E2eCluster.up(t, { nodes: 1, driver });
    await assertBasics(t, cluster);
  });

  driverTest(title("two of six nodes may be dead, and the driver stays the same"), async (t) => {
    const cluster = await E2eCluster.up(t, { driver });
    await assertDegradedReads(t, cluster);
    const { mountPid } = await cluster.report();
    const libraries = await readFile(`/proc/${present(mountPid)}/maps`, "utf8");
    t.is(libraries.includes("/fuse-native/"), driver === "fuse-native");
  });
}

const ADDONS = fileURLToPath(new URL("../../../build", import.meta.url));
const whyNot = whyNoFuseNative() ?? whyNoRootMount();
const fallback = "where the channel isn't built, fuse-native mounts and umount(8) unmounts";

(whyNot === undefined ? test.serial : test.skip)(
  `${fallback}${whyNot === undefined ? "" : ` (${whyNot})`}`,
  async (t) => {
    const cluster = await E2eCluster.up(t, { nodes: 1, mount: false });
    const mountpoint = join(cluster.scratch, "m");
    await mkdir(mountpoint);
    // In a mount namespace of its own, where the addon's directory is empty.
    const script = `
      set -e; mount -t tmpfs none '${ADDONS}'
      "$DFS" mount -d '${mountpoint}' --log-file '${cluster.scratch}/log' >/dev/null
      echo text >'${mountpoint}/file'; cat '${mountpoint}/file'
      "$DFS" umount '${mountpoint}'; ls '${mountpoint}'
      ! "$DFS" mount -d '${mountpoint}' --driver channel 2>&1`;
    const args = ["--mount", "--propagation", "private", "bash", "-c", script];
    const { code, stdout, stderr } = await cluster.run(args, { program: "unshare" });
    t.is(code, 0, stderr);
    t.regex(stdout, /^text\n.*addon isn't built/);
  },
);
