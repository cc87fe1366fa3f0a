import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { present } from "../../testing/present.ts";
import { spawnDaemon } from "./daemon.ts";
import { CliError } from "../terminal/exit-codes.ts";

async function makeDirectory(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dfs-daemon-"));
  t.teardown(() => rm(directory, { recursive: true }));
  return directory;
}

test("a daemon that fails tells its starter the reason and the exit code", async (t) => {
  const directory = await makeDirectory(t);
  const error = await t.throwsAsync(
    spawnDaemon({
      args: ["mount", "/nowhere", "--meta", "http://127.0.0.1:9"],
      logFile: join(directory, "logs", "mount.log"),
      env: { ...process.env, DFS_CONFIG_DIR: directory },
      timeoutMs: 60_000,
    }),
    { instanceOf: CliError },
  );
  t.is(error.exitCode, 4);
  t.regex(error.message, /^not logged in/);
  t.regex(await readFile(join(directory, "logs", "mount.log"), "utf8"), /not logged in/);
});

test("a daemon that ends without a word is reported with the end of its log", async (t) => {
  const directory = await makeDirectory(t);
  const logFile = join(directory, "log");
  const error = await t.throwsAsync(
    spawnDaemon({ args: ["--version"], logFile, timeoutMs: 60_000 }),
    { instanceOf: CliError },
  );
  t.regex(error.message, /ended at once/);
  t.regex(present(error.todo), /\d+\.\d+\.\d+$/);
});
