// PostgreSQL in a mount, as its own user.
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import {
  assertSameAsLocal,
  programTest,
  runScript,
  shareCluster,
} from "../../testing/e2e/e2e-programs.ts";

const cluster = shareCluster(test, { nodes: 6, mountOptions: "allow_other" });

programTest(
  test,
  ["psql", "pg_lsclusters"],
  "PostgreSQL is whole after kill -9 under load",
  async (t) => {
    const sockets = join(cluster().scratch, "sockets");
    await mkdir(sockets);
    await chmod(sockets, 0o777);
    for (const directory of [cluster().scratch, cluster().directory]) await chmod(directory, 0o755);
    await assertSameAsLocal(t, cluster(), "postgresql", { SOCKETS: sockets });
    await cluster().kill(2, 5);
    await cluster().demo("remount");
    const mounted = join(cluster().mnt, "postgresql");
    const again = await runScript(cluster(), "postgresql-again", mounted, { SOCKETS: sockets });
    t.is(again.code, 0, again.stderr);
    t.is(again.stdout, "Bad checksums:  0\nData checksum version: 1\n100000\n");
  },
);
