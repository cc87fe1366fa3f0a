// git in a mount.
import { join } from "node:path";
import test from "ava";
import {
  assertSameAsLocal,
  programTest,
  runScript,
  shareCluster,
} from "../../testing/e2e/e2e-programs.ts";

const cluster = shareCluster(test, { nodes: 1 });

programTest(
  test,
  ["git"],
  "git works as on a local disk, and finds all as it was after a remount",
  async (t) => {
    await assertSameAsLocal(t, cluster(), "git");
    await cluster().demo("remount");
    const again = await runScript(cluster(), "git-again", join(cluster().mnt, "git"));
    t.is(again.code, 0, again.stderr);
    t.is(again.stdout, "repo fits\ncloned fits\nfetched fits\ntree fits\n");
  },
);
