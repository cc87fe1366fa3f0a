// Programs that build and pack: make, npm, dpkg, vim.
import { join } from "node:path";
import test from "ava";
import { assertSameAsLocal, programTest, shareCluster } from "../../testing/e2e/e2e-programs.ts";
import { packTree } from "../../testing/npm-pack.ts";

const cluster = shareCluster(test, { nodes: 1 });

programTest(test, ["make", "gcc"], "make -j4 builds what changed, and only that", async (t) => {
  await assertSameAsLocal(t, cluster(), "make");
});

programTest(test, ["npm"], "npm ci installs a real tree, which runs", async (t) => {
  const pack = join(cluster().scratch, "pack");
  await packTree("eslint", pack);
  await assertSameAsLocal(t, cluster(), "npm", { PACK: pack });
});

programTest(
  test,
  ["vim", "xz", "patch"],
  "vim saves as on a local disk, each way it knows",
  async (t) => {
    await assertSameAsLocal(t, cluster(), "vim");
  },
);

programTest(
  test,
  ["dpkg-deb", "zip", "unzip"],
  "packages are built, unpacked and installed",
  async (t) => {
    await assertSameAsLocal(t, cluster(), "pack");
  },
);
