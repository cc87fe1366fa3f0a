import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { silentLog } from "../observability/log.ts";
import { firstLogin } from "../testing/meta/meta-server.ts";
import { present } from "../testing/present.ts";
import { startMetadataServer } from "./metadata-server.ts";

test("a server starts from metadata that lost something only when it is told to", async (t) => {
  const base = await mkdtemp(join(tmpdir(), "dfs-meta-"));
  t.teardown(() => rm(base, { recursive: true }));
  const [running, damaged] = [join(base, "running"), join(base, "damaged")];
  const options = { port: 0, log: silentLog };
  const server = await startMetadataServer({ ...options, dataDir: running });
  // Users are on disk when they are acknowledged.
  await firstLogin(server.url);
  await cp(running, damaged, { recursive: true });
  await server.close();
  const path = join(damaged, "meta", "journal-1");
  const journal = await readFile(path);
  const at = journal.indexOf("argon2id");
  t.true(at > 0);
  journal[at] = present(journal[at]) ^ 4;
  await writeFile(path, journal);
  const start = startMetadataServer({ ...options, dataDir: damaged });
  await t.throwsAsync(start, { code: "EIO", message: /dfs meta --accept-loss/ });
  const again = await startMetadataServer({ ...options, dataDir: damaged, acceptLoss: true });
  await firstLogin(again.url);
  await again.close();
  const whole = await startMetadataServer({ ...options, dataDir: damaged });
  await whole.close();
});
