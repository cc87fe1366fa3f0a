// Ordinary programs in a mount: scripts of src/testing/programs, whose output must be the same in
// the mount and in a local directory.
import assert from "node:assert";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ExecutionContext, TestFn } from "ava";
import { E2eCluster, Teardowns, type ClusterOptions, HANG_MS } from "./e2e-cluster.ts";
import { runDfs, type CommandResult } from "./run-dfs.ts";

/** Not compiled, so they stay where they are. */
const SCRIPTS = fileURLToPath(new URL("../../../src/testing/programs/", import.meta.url));
/** The longest takes half a minute on a quiet machine. */
const SCRIPT_TIMEOUT_MS = 400_000;

/**
 * Why these programs can't be run here; undefined when they can. Never a reason in CI, where they
 * must be.
 */
export function whyNoPrograms(programs: readonly string[]): string | undefined {
  if (process.env["CI"] === "true") return undefined;
  if (process.geteuid?.() !== 0) return "needs root";
  const directories = (process.env["PATH"] ?? "").split(delimiter);
  const missing = programs.filter((program) => {
    return !directories.some((directory) => existsSync(join(directory, program)));
  });
  return missing.length === 0 ? undefined : `needs ${missing.join(", ")}: scripts/setup --tests`;
}

/** One cluster for all tests of a file, which goes down after the last. */
export function shareCluster(test: TestFn, options: ClusterOptions): () => E2eCluster {
  let cluster: E2eCluster | undefined;
  const teardowns = new Teardowns();
  test.serial.before("the cluster starts", async (t) => {
    t.timeout(HANG_MS);
    cluster = await E2eCluster.up(teardowns, options);
  });
  test.serial.after.always("the cluster stops", async () => {
    await teardowns.run();
  });
  return () => {
    assert.ok(cluster !== undefined, "the cluster didn't start");
    return cluster;
  };
}

/** Declares a test that is skipped, with the reason in its name, where it can't run. */
export function programTest(
  test: TestFn,
  programs: readonly string[],
  promise: string,
  run: (t: ExecutionContext) => Promise<void>,
): void {
  const why = whyNoPrograms(programs);
  if (why !== undefined) {
    test.skip(`${promise} (${why})`, run);
    return;
  }
  test.serial(promise, async (t) => {
    // Twice, in the mount and beside it.
    t.timeout(2 * SCRIPT_TIMEOUT_MS);
    await run(t);
  });
}

/**
 * Runs `programs/NAME.sh` in `directory`, which is made where it is missing. $OUT is a path on the
 * local file system that the script may use.
 */
export async function runScript(
  cluster: E2eCluster,
  name: string,
  directory: string,
  env: NodeJS.ProcessEnv = {},
): Promise<CommandResult> {
  await mkdir(directory, { recursive: true });
  const program = 'cd "$1" && set -euo pipefail && umask 022 && . "$2/tree.sh" && . "$2/$3.sh"';
  const seconds = String(SCRIPT_TIMEOUT_MS / 1000);
  // timeout(1) ends the script's children, too.
  const args = ["-s", "KILL", seconds, "bash", "-c", program, "bash", directory, SCRIPTS, name];
  return runDfs(args, {
    program: "timeout",
    timeoutMs: SCRIPT_TIMEOUT_MS + 10_000,
    env: {
      ...cluster.env,
      LC_ALL: "C",
      TZ: "UTC",
      OUT: join(cluster.scratch, `out-${name}`),
      ...env,
    },
  });
}

/** The script succeeds in the mount and prints what it prints in a local directory. */
export async function assertSameAsLocal(
  t: ExecutionContext,
  cluster: E2eCluster,
  name: string,
  env: NodeJS.ProcessEnv = {},
): Promise<void> {
  const local = await runScript(cluster, name, join(cluster.scratch, "local", name), env);
  t.is(local.code, 0, `in a local directory: ${local.stdout}${local.stderr}`);
  const mounted = await runScript(cluster, name, join(cluster.mnt, name), env);
  t.is(mounted.code, 0, `${mounted.stdout}${mounted.stderr}`);
  t.is(mounted.stdout, local.stdout);
  t.log(
    `${name}: ${Math.round(mounted.tookMs)} ms, ` +
      `in a local directory ${Math.round(local.tookMs)} ms`,
  );
}
