// SQLite's own program in a mount, and in two at once.
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
  ["sqlite3"],
  "sqlite3: several writers at once, in every journal mode",
  async (t) => {
    await assertSameAsLocal(t, cluster(), "sqlite");
  },
);

programTest(
  test,
  ["sqlite3"],
  "sqlite3: a killed writer loses nothing and leaves nothing half done",
  async (t) => {
    await assertSameAsLocal(t, cluster(), "sqlite-kill");
  },
);

programTest(
  test,
  ["sqlite3"],
  "sqlite3: writers on two clients see each other's commits",
  async (t) => {
    const other = await cluster().mountAgain(t, "other-mnt");
    const result = await runScript(cluster(), "sqlite-clients", join(cluster().mnt, "clients"), {
      OTHER: join(other, "clients"),
    });
    t.is(result.code, 0, result.stderr);
    t.is(result.stdout, "60|0|59\nok\n".repeat(2));
  },
);
