// Programs made to break file systems: stress-ng and fio.
import { join } from "node:path";
import test from "ava";
import {
  assertSameAsLocal,
  programTest,
  runScript,
  shareCluster,
} from "../../testing/e2e/e2e-programs.ts";

const cluster = shareCluster(test, { nodes: 6 });

programTest(test, ["stress-ng"], "stress-ng's file stressors find nothing wrong", async (t) => {
  // Not beside it in a local directory: its syncs wait for all that others write to that disk.
  const result = await runScript(cluster(), "stress", join(cluster().mnt, "stress"));
  t.is(result.code, 0, result.stdout + result.stderr);
  t.log(`stress-ng: ${Math.round(result.tookMs)} ms`);
});

programTest(
  test,
  ["fio"],
  "fio finds every block as written, also after a remount with two nodes dead",
  async (t) => {
    await assertSameAsLocal(t, cluster(), "fio");
    await cluster().kill(1, 4);
    await cluster().demo("remount");
    const again = await runScript(cluster(), "fio-again", join(cluster().mnt, "fio"));
    t.is(again.code, 0, again.stdout + again.stderr);
  },
);
