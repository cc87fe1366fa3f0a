// Real mounts for tests: a server in a child process, and programs that use its mount.
import { execFile, fork, type ChildProcess } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ExecutionContext } from "ava";
import { loadFuseNative } from "../../fuse/fuse-native/package.ts";
import { unmountPath } from "../../fuse/mounting/stale-mount.ts";
import type { FuseServerCommand, FuseServerEvent, FuseServerOptions } from "./fuse-server.ts";

const SERVER = fileURLToPath(new URL("fuse-server.js", import.meta.url));

/**
 * Why mounts can't be tested here; undefined when they can. Never a reason in CI, where they must
 * be.
 */
export function whyNoFuse(): string | undefined {
  if (process.env["CI"] === "true") return undefined;
  try {
    accessSync("/dev/fuse", constants.R_OK | constants.W_OK);
  } catch {
    return "needs /dev/fuse readable and writable (root, or mode 0666)";
  }
  return undefined;
}

/** The same for mounts of which a test needs what only root may. */
export function whyNoRootMount(): string | undefined {
  const isRoot = process.geteuid?.() === 0;
  return whyNoFuse() ?? (isRoot || process.env["CI"] === "true" ? undefined : "needs root");
}

/** The same for mounts through fuse-native, an optional dependency. */
export function whyNoFuseNative(): string | undefined {
  const reason = whyNoFuse();
  if (reason !== undefined || process.env["CI"] === "true") return reason;
  try {
    loadFuseNative();
  } catch (error) {
    return error instanceof Error ? error.message : "fuse-native doesn't load";
  }
  return undefined;
}

/**
 * What programs get from a mount whose server died: ECONNABORTED where the request was under way
 * when the kernel noticed, ENOTCONN afterwards. Which of them is up to the scheduler.
 */
export const DEAD_MOUNT_ERRNOS: readonly string[] = ["ENOTCONN", "ECONNABORTED"];
/** The same as strerror(3) tells them. */
export const DEAD_MOUNT_MESSAGE = /endpoint is not connected|caused connection abort/;

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a shell script in `cwd`. Its process is the one that touches the mount. */
export function shell(script: string, cwd: string, user?: number): Promise<RunResult> {
  const identity = user === undefined ? {} : { uid: user, gid: user };
  return new Promise((resolve) => {
    const options = { cwd: "/", maxBuffer: 64 * 1024 * 1024, timeout: 60_000, ...identity };
    const args = ["-c", `cd '${cwd}' || exit 99\n${script}`];
    execFile("bash", args, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, stdout, stderr });
    });
  });
}

export interface ServerHandle {
  readonly mountpoint: string;
  readonly child: ChildProcess;
  /** The next event that isn't asked for: "closed" or "failed". */
  readonly closed: Promise<void>;
  /** Exit code, or the signal's name. */
  readonly exited: Promise<number | string>;
  readonly command: (command: FuseServerCommand) => Promise<FuseServerEvent>;
  /** Standard output of a script run in the mount; fails the test when its exit code isn't 0. */
  readonly sh: (script: string, user?: number) => Promise<string>;
}

/** A fresh directory, removed after the test with whatever may still be mounted on it. */
export async function freshMountpoint(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "dfs-fuse-"));
  await chmod(directory, 0o755);
  t.teardown(async () => {
    await unmountPath(directory, { lazy: true }).catch(() => undefined);
    await rm(directory, { recursive: true, force: true });
  });
  return directory;
}

export interface StartOptions {
  readonly mountpoint?: string;
  /** Runs the server as this user. */
  readonly uid?: number;
}

/** As the user, who may yet read the program wherever it was checked out. */
function runAs(uid: number): { execPath: string; execArgv: string[] } {
  const capability = "+dac_read_search";
  const identity = [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
  const reading = [`--inh-caps=${capability}`, `--ambient-caps=${capability}`];
  return { execPath: "setpriv", execArgv: [...identity, ...reading, process.execPath] };
}

/** Starts a server and waits until its mount answers. Rejects with what it failed with. */
export async function startServer(
  t: ExecutionContext,
  options: FuseServerOptions = {},
  start: StartOptions = {},
): Promise<ServerHandle> {
  const mountpoint = start.mountpoint ?? (await freshMountpoint(t));
  const child = fork(SERVER, [mountpoint, JSON.stringify(options)], {
    cwd: "/",
    execArgv: [],
    ...(start.uid === undefined ? {} : runAs(start.uid)),
  });
  const waiting: ((event: FuseServerEvent) => void)[] = [];
  let onClosed: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => (onClosed = resolve));
  const exited = new Promise<number | string>((resolve) => {
    child.on("exit", (code, signal) => resolve(code ?? signal ?? -1));
  });
  child.on("message", (event: FuseServerEvent) => {
    if (event.type === "closed") onClosed();
    else waiting.shift()?.(event);
  });
  t.teardown(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const next = (): Promise<FuseServerEvent> => new Promise((resolve) => waiting.push(resolve));
  const died = exited.then((code): never => {
    throw new Error(`the FUSE server ended before it had mounted: ${code}`);
  });
  const first = await Promise.race([next(), died]);
  died.catch(() => undefined);
  if (first.type === "failed") throw Object.assign(new Error(first.message), { code: first.code });
  return {
    mountpoint,
    child,
    closed,
    exited,
    command(command) {
      const answer = next();
      child.send(command);
      return answer;
    },
    async sh(script, user) {
      const result = await shell(script, mountpoint, user);
      if (result.code !== 0) t.fail(`exit code ${result.code} of: ${script}\n${result.stderr}`);
      return result.stdout;
    },
  };
}
