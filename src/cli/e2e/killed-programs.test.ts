// Programs that are killed while they wait for a cluster that hangs.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { E2eCluster, HANG_MS } from "../../testing/e2e/e2e-cluster.ts";
import { MIB } from "../../testing/e2e/e2e-files.ts";
import { present } from "../../testing/present.ts";

/** A killed process goes at once; the rest is margin for a busy machine. */
const MAX_DYING_MS = 5000;
/** One that has written first waits for its close, until that fails for want of nodes. */
const MAX_CLOSING_MS = 60_000;

/**
 * Milliseconds that a program takes to die of SIGKILL, once it hangs in a call to the file system.
 */
async function dyingMs(
  t: ExecutionContext,
  cluster: E2eCluster,
  program: string,
  path: string,
): Promise<number> {
  const child = spawn("python3", ["-c", program, path], { stdio: "ignore" });
  t.teardown(() => child.kill("SIGKILL"));
  await cluster.waitUntil("a call that hangs", async () => {
    return /request_wait|fuse/.test(await readFile(`/proc/${present(child.pid)}/wchan`, "utf8"));
  });
  const exited = once(child, "exit");
  const beginMs = performance.now();
  child.kill("SIGKILL");
  await exited;
  return performance.now() - beginMs;
}

test.serial("a program that waits for a hung cluster dies at once when it is killed", async (t) => {
  t.timeout(HANG_MS);
  const cluster = await E2eCluster.up(t, { nodes: 1 });
  const path = join(cluster.mnt, "large");
  await writeFile(path, Buffer.alloc(9 * MIB, 7));
  await cluster.demo("remount");
  const programs: Record<string, [member: string, maxMs: number, program: string]> = {
    read: ["1", MAX_DYING_MS, "open(path, 'rb').read()"],
    stat: ["meta", MAX_DYING_MS, "os.stat(path + '-missing')"],
    mkdir: ["meta", MAX_DYING_MS, "os.mkdir(path + '-dir')"],
    list: ["meta", MAX_DYING_MS, "os.listdir(os.path.dirname(path))"],
    write: [
      "1",
      MAX_CLOSING_MS,
      "f = os.open(path + '-1', 65); [os.write(f, bytes(1 << 20)) for _ in range(400)]",
    ],
  };
  for (const [name, [member, maxMs, program]] of Object.entries(programs)) {
    await cluster.demo("pause", member);
    try {
      const tookMs = await dyingMs(
        t,
        cluster,
        `import os, sys; path = sys.argv[1]; ${program}`,
        path,
      );
      t.log(`${name}: dead after ${tookMs.toFixed(0)} ms`);
      t.true(tookMs < maxMs, `${name} took ${tookMs.toFixed(0)} ms`);
    } finally {
      await cluster.demo("resume", member);
    }
    await cluster.waitForUpNodes(1);
  }
  t.is((await readFile(path)).length, 9 * MIB, "and the others go on");
});
