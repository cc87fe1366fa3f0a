// A broken invariant ends each kind of process: one fatal line, one exit code, nobody left hanging.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test, { type ExecutionContext } from "ava";
import { HttpShardService } from "../../protocol/shard/shard-http-client.ts";
import { systemClock } from "../../platform/clock.ts";
import { EXIT } from "../terminal/exit-codes.ts";
import { runDfs } from "../../testing/e2e/run-dfs.ts";
import { shardId } from "../../testing/shard/shard-service-conformance.ts";
import { nodeNameIn } from "../../testing/shard/test-name.ts";
import { present } from "../../testing/present.ts";

const DFS = fileURLToPath(new URL("../../../bin/dfs", import.meta.url));
const PRELOAD = new URL("../../testing/e2e/violations.js", import.meta.url).href;
const PASSWORD = "correct horse";

interface Ended {
  readonly code: number | null;
  readonly stderr: string;
}

interface Running {
  /** First line of stdout: it is ready. */
  readonly ready: Promise<string>;
  readonly ended: Promise<Ended>;
}

/** A `dfs` in the foreground; with `broken` the operation of its kind breaks an invariant. */
function start(t: ExecutionContext, args: readonly string[], broken: boolean, configDir: string) {
  const options = broken ? { NODE_OPTIONS: `--import=${PRELOAD}` } : {};
  const env = { ...process.env, DFS_CONFIG_DIR: configDir, ...options };
  const child: ChildProcess = spawn(DFS, args, { env, cwd: "/" });
  t.teardown(() => child.kill("SIGKILL"));
  let stderr = "";
  present(child.stderr).on("data", (text: Buffer) => (stderr += text.toString()));
  const running: Running = {
    ready: new Promise((resolve) => {
      present(child.stdout).once("data", (text: Buffer) => resolve(text.toString()));
    }),
    ended: new Promise((resolve) => {
      child.once("close", (code) => resolve({ code, stderr }));
    }),
  };
  return running;
}

function assertFatal(t: ExecutionContext, { code, stderr }: Ended): void {
  t.is(code, EXIT.bug);
  const fatal = stderr.split("\n").filter((line) => line.includes('"level":60'));
  t.is(fatal.length, 1, stderr);
  t.regex(fatal.join(), /InvariantViolation.*broken on purpose.*\\n {4}at /);
  t.false(stderr.includes('"level":50'), stderr);
}

async function directory(t: ExecutionContext): Promise<string> {
  const base = await mkdtemp(join(tmpdir(), "dfs-e2e-"));
  t.teardown(() => rm(base, { recursive: true, force: true }));
  return base;
}

/** A metadata server with a user who is logged in. */
async function startMeta(t: ExecutionContext, base: string, broken: boolean) {
  const meta = start(t, ["meta", "--data", join(base, "meta"), "--port", "0"], broken, base);
  const url = present(/http:\S+?(?=,)/.exec(await meta.ready))[0];
  const run = (...args: string[]) =>
    runDfs([...args, "--meta", url], { input: PASSWORD, env: { DFS_CONFIG_DIR: base } });
  await run("user", "add", "anna", "--password-stdin");
  const login = await run("login", "anna", "--password-stdin");
  return { url, login, ended: meta.ended };
}

test.serial("a broken invariant ends the metadata server", async (t) => {
  const { login, ended } = await startMeta(t, await directory(t), true);
  assertFatal(t, await ended);
  t.not(login.code, EXIT.ok);
});

test.serial("a broken invariant ends a storage node", async (t) => {
  const base = await directory(t);
  const { url } = await startMeta(t, base, false);
  const args = ["node", "--data", join(base, "node"), "--meta", url];
  const node = start(t, args, true, base);
  const nodeUrl = present(/http:\S+?(?=,)/.exec(await node.ready))[0];
  const name = await nodeNameIn(join(base, "node"));
  await using service = new HttpShardService(nodeUrl, { clock: systemClock, ...name });
  await t.throwsAsync(service.headMany([shardId(1)]));
  assertFatal(t, await node.ended);
});

test.serial("a broken invariant ends a mount, and its callers aren't left hanging", async (t) => {
  const base = await directory(t);
  const { url } = await startMeta(t, base, false);
  const mountpoint = join(base, "mnt");
  await mkdir(mountpoint);
  const mount = start(t, ["mount", mountpoint, "--meta", url], true, base);
  t.teardown(() => runDfs(["umount", "--lazy", mountpoint]));
  await mount.ready;
  await t.throwsAsync(mkdir(join(mountpoint, "a")));
  assertFatal(t, await mount.ended);
  await t.throwsAsync(mkdir(join(mountpoint, "b")), { code: "ENOTCONN" });
});
