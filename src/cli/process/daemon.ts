// Starts a `dfs` command as a daemon: own session, no stdio and no directory of ours, log to a
// file.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, open, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { CliError, EXIT } from "../terminal/exit-codes.ts";
import type { DaemonMessage, ReadyMessage } from "./readiness.ts";

/** The program itself, seen from dist/cli/. */
export const DFS_PROGRAM = fileURLToPath(new URL("../../../bin/dfs", import.meta.url));

/** Of a log that explains a failure, the end is what matters. */
const LOG_TAIL_CHARS = 600;

export interface DaemonSpec {
  /** Arguments of `dfs`; paths among them absolute, since the daemon's directory is "/". */
  args: readonly string[];
  /** Appended to. */
  logFile: string;
  env?: NodeJS.ProcessEnv;
  timeoutMs: number;
  /** Called as soon as the process exists, before it is ready. */
  onSpawn?: (pid: number) => Promise<void>;
}

export interface Daemon {
  pid: number;
  /** What it reported when it was ready. */
  details: Record<string, string>;
}

/**
 * Resolves when the daemon says that it is ready.
 * @throws CliError with the daemon's own reason when it fails; it is then gone
 */
export async function spawnDaemon(spec: DaemonSpec): Promise<Daemon> {
  await mkdir(dirname(spec.logFile), { recursive: true });
  const log = await open(spec.logFile, "a", 0o600);
  let child: ChildProcess;
  try {
    child = spawn(process.execPath, [...process.execArgv, DFS_PROGRAM, ...spec.args], {
      cwd: "/",
      detached: true,
      env: spec.env ?? process.env,
      stdio: ["ignore", log.fd, log.fd, "ipc"],
    });
  } finally {
    await log.close();
  }
  const outcome = waitForWord(child, spec);
  // It may fail before it is waited for.
  outcome.catch(() => undefined);
  if (child.pid !== undefined) await spec.onSpawn?.(child.pid);
  const ready = await outcome;
  child.unref();
  return { pid: child.pid ?? 0, details: ready.details };
}

function waitForWord(child: ChildProcess, spec: DaemonSpec): Promise<ReadyMessage> {
  const name = `dfs ${spec.args[0] ?? ""}`;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      const seconds = Math.round(spec.timeoutMs / 1000);
      const message = `${name} was not ready after ${seconds} s`;
      reject(new CliError(EXIT.retryable, message, `Its log: ${spec.logFile}`));
    }, spec.timeoutMs);
    child.once("message", (message: DaemonMessage) => {
      clearTimeout(timer);
      if (child.connected) child.disconnect();
      if (message.dfs === "ready") resolve(message);
      else reject(new CliError(message.exitCode, message.reason, `Its log: ${spec.logFile}`));
    });
    child.once("error", (error) => {
      clearTimeout(timer);
      reject(new CliError(EXIT.failure, `cannot start ${name}: ${error.message}`));
    });
    // Without a word: a crash, or an end by signal. A message that came first has settled this.
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      void explainExit(name, spec.logFile, code, signal).then(reject);
    });
  });
}

async function explainExit(
  name: string,
  logFile: string,
  code: number | null,
  signal: NodeJS.Signals | null,
): Promise<CliError> {
  const log = await readFile(logFile, "utf8").catch(() => "");
  const how = signal === null ? `exit code ${code ?? 0}` : signal;
  const tail = log.slice(-LOG_TAIL_CHARS).trim();
  return new CliError(EXIT.failure, `${name} ended at once (${how})`, `${logFile}: ${tail}`);
}
