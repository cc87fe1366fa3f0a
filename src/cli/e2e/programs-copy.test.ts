// Programs that copy trees with all that a file has: cp, tar, rsync.
import test from "ava";
import { assertSameAsLocal, programTest, shareCluster } from "../../testing/e2e/e2e-programs.ts";

const cluster = shareCluster(test, { nodes: 6 });

programTest(test, ["setfacl", "setfattr"], "cp -a keeps all that a file has", async (t) => {
  await assertSameAsLocal(t, cluster(), "cp");
});

programTest(
  test,
  ["setfacl", "setfattr"],
  "a tar round trip keeps all that a file has",
  async (t) => {
    await assertSameAsLocal(t, cluster(), "tar");
  },
);

programTest(
  test,
  ["rsync", "setfacl", "setfattr"],
  "rsync's second run copies nothing",
  async (t) => {
    await assertSameAsLocal(t, cluster(), "rsync");
  },
);
