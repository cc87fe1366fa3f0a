// Runs dfs, or another program, as a person at a terminal would.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const DFS = fileURLToPath(new URL("../../../bin/dfs", import.meta.url));
/** A command, or a wait, that takes longer hangs; the test is told which. */
export const COMMAND_TIMEOUT_MS = 300_000;
export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
  tookMs: number;
}

export interface RunOptions {
  input?: string | Buffer;
  env?: NodeJS.ProcessEnv;
  /** Another program than dfs, which finds dfs in $DFS. */
  program?: string;
  /** Default five minutes. */
  timeoutMs?: number;
}

/** Runs `dfs` (or another program) and never rejects because of its exit code. */
export function runDfs(args: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
  const beginMs = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(options.program ?? DFS, args, {
      env: { ...process.env, DFS, ...options.env },
      cwd: "/",
      timeout: options.timeoutMs ?? COMMAND_TIMEOUT_MS,
      killSignal: "SIGKILL",
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    child.once("error", reject);
    child.once("close", (code) => {
      const tookMs = performance.now() - beginMs;
      // latin1 keeps every byte, so that binary output can be compared.
      const stdout = Buffer.concat(out).toString("latin1");
      resolve({ code, stdout, stderr: Buffer.concat(err).toString(), tookMs });
    });
    // The program may end without reading: its exit code tells.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
  });
}
