// A process that we started, told apart from a later one with the same number by its start time and
// its command line. Nothing is ever signalled without that check.
import { readFile } from "node:fs/promises";
import { CliError, EXIT } from "../terminal/exit-codes.ts";

export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks from boot to the process's start. */
  readonly startTicks: number;
}

export type ProcessState = "running" | "paused" | "dead";

/** How often a wait looks at /proc: it has no event to wait for. */
const POLL_INTERVAL_MS = 5;

interface ProcessFacts {
  startTicks: number;
  state: ProcessState;
}

/** proc(5): the name in parentheses may hold anything, so fields are counted after the last ")". */
async function readFacts(pid: number): Promise<ProcessFacts | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const letter = fields[0] ?? "Z";
  const startTicks = Number(fields[19]);
  if (letter === "Z" || letter === "X") return { startTicks, state: "dead" };
  return { startTicks, state: letter === "T" || letter === "t" ? "paused" : "running" };
}

/** @throws CliError when the process is gone already */
export async function identifyProcess(pid: number): Promise<ProcessIdentity> {
  const facts = await readFacts(pid);
  if (facts === undefined) throw new CliError(EXIT.failure, `process ${pid} ended at once`);
  return { pid, startTicks: facts.startTicks };
}

/** `marker` must be an argument of the process's command line: a path that only ours has. */
export async function processState(
  identity: ProcessIdentity | undefined,
  marker: string,
): Promise<ProcessState> {
  if (identity === undefined) return "dead";
  const facts = await readFacts(identity.pid);
  if (facts?.startTicks !== identity.startTicks || facts.state === "dead") return "dead";
  const commandLine = await readFile(`/proc/${identity.pid}/cmdline`, "utf8").catch(() => "");
  return commandLine.split("\0").includes(marker) ? facts.state : "dead";
}

/** Sends the signal if the process is still the one we started. Returns whether it was. */
export async function signalProcess(
  identity: ProcessIdentity | undefined,
  marker: string,
  signal: NodeJS.Signals,
): Promise<boolean> {
  if (identity === undefined || (await processState(identity, marker)) === "dead") return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch {
    // It ended between the look and the signal.
    return false;
  }
}

/** Waits until the process is in `state`. Returns false when `timeoutMs` passed first. */
export async function waitForState(
  identity: ProcessIdentity | undefined,
  marker: string,
  state: ProcessState,
  timeoutMs: number,
): Promise<boolean> {
  const deadlineMs = performance.now() + timeoutMs;
  while ((await processState(identity, marker)) !== state) {
    if (performance.now() > deadlineMs) return false;
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
  }
  return true;
}
