import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import test, { type ExecutionContext } from "ava";
import { present } from "../../testing/present.ts";
import { identifyProcess, processState, signalProcess, waitForState } from "./process-identity.ts";

const MARKER = "an argument that only this child has";

async function startChild(t: ExecutionContext): Promise<ChildProcess & { pid: number }> {
  const script = 'process.stdout.write("up"); setInterval(() => {}, 1000)';
  const child = spawn(process.execPath, ["-e", script, MARKER]);
  t.teardown(() => child.kill("SIGKILL"));
  await once(child.stdout, "data");
  return Object.assign(child, { pid: present(child.pid) });
}

test("a process is running, paused and dead when it is", async (t) => {
  const identity = await identifyProcess((await startChild(t)).pid);
  t.is(await processState(identity, MARKER), "running");
  t.true(await signalProcess(identity, MARKER, "SIGSTOP"));
  t.true(await waitForState(identity, MARKER, "paused", 60_000));
  t.true(await signalProcess(identity, MARKER, "SIGKILL"));
  t.true(await waitForState(identity, MARKER, "dead", 60_000));
  t.false(await signalProcess(identity, MARKER, "SIGKILL"));
});

test("another process under the same number is never signalled", async (t) => {
  const child = await startChild(t);
  const identity = await identifyProcess(child.pid);
  const recycled = { ...identity, startTicks: identity.startTicks - 1 };
  t.is(await processState(recycled, MARKER), "dead");
  t.false(await signalProcess(recycled, MARKER, "SIGKILL"));
  t.is(await processState(identity, "an argument of somebody else"), "dead");
  t.false(await signalProcess(identity, "an argument of somebody else", "SIGKILL"));
  t.is(await processState(undefined, MARKER), "dead");
  t.is(await processState(identity, MARKER), "running");
});
