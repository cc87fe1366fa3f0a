// dfs mount MOUNTPOINT: in the foreground, or with -d as a daemon whose starter waits for the
// mount.
import { realpath } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { type Command, Option } from "commander";
import { type RunningMount, startMount } from "../../app/mount-client.ts";
import { isFsError } from "../../domain/errno.ts";
import { FUSE_DRIVERS, type FuseDriver } from "../../fuse/driver.ts";
import { endOnUncaught } from "../../observability/fatal.ts";
import { createLog, type Log } from "../../observability/log.ts";
import { requireLogin } from "../session/credentials.ts";
import { spawnDaemon } from "../process/daemon.ts";
import { CliError, EXIT } from "../terminal/exit-codes.ts";
import { applySource, type MountFlags, parseMountOptions } from "./mount-options.ts";
import { holdersOf, probeMount } from "../process/mountpoint.ts";
import { addMetaOption, sizeArgument } from "../terminal/options.ts";
import { printLine } from "../terminal/output.ts";
import { reportReady } from "../process/readiness.ts";
import { StopSignals } from "../process/signals.ts";

interface MountOptions {
  meta?: string;
  daemon?: boolean;
  options: string[];
  cache?: number;
  logFile?: string;
  driver?: FuseDriver;
  subdir?: string;
  credentials?: string;
  source?: string;
}

/** Connecting, a stale mount to clear, the kernel: seconds at most; then say so. */
const DAEMON_READY_TIMEOUT_MS = 30_000;
const PROBE_TIMEOUT_MS = 10_000;
/** After the first signal a busy mount is tried again this often until it is free. */
const BUSY_RETRY_INTERVAL_MS = 100;
/** After a lazy unmount programs with open files get this long before they lose them. */
const LAZY_CLOSE_TIMEOUT_MS = 5000;

export function define(command: Command): void {
  addMetaOption(command)
    .argument("<mountpoint>", "empty directory to mount at")
    .option("-d, --daemon", "run in the background; returns when the mount answers")
    .option(
      "-o, --options <list>",
      "ro, allow_other, uid=, subdir=, …, as in fstab; comma-separated",
      (value: string, before: string[]) => [...before, value],
      [],
    )
    .option("--cache <size>", "memory for blocks read before, like 512M", sizeArgument)
    .option("--log-file <file>", "where a daemon's log goes")
    .option("--subdir <path>", "mount this directory of the file system instead of its root")
    .option("--credentials <file>", "file with the login, as dfs login keeps it")
    .addOption(new Option("--driver <name>", "how to talk to the kernel").choices(FUSE_DRIVERS))
    .addOption(new Option("--source <name>", "first column of fstab: URL or none").hideHelp())
    .action(mount);
}

async function mount(directory: string, options: MountOptions): Promise<void> {
  const flags = flagsOf(options);
  const mountpoint = resolve(directory);
  const login = await requireLogin(flags.meta, flags.credentials);
  if (options.daemon === true) {
    await mountInBackground(mountpoint, login.url, { ...options, ...ownOptions(flags) });
    return;
  }
  const log = createLog("mount");
  let abort = (): void => undefined;
  endOnUncaught(log, () => abort());
  const signals = new StopSignals();
  const running = await startMount({
    ...flags,
    url: login.url,
    token: login.token,
    mountpoint,
    log,
  });
  abort = () => running.abort();
  printLine(`dfs mounted at ${mountpoint}; Ctrl-C unmounts`);
  await reportReady({ mountpoint });
  await serve(running, signals, mountpoint, log);
}

/** What -o and the options of our own say together; our own win. */
function flagsOf(options: MountOptions): MountFlags {
  const flags = applySource(parseMountOptions(options.options), options.source);
  const { meta, cache, driver, subdir, credentials } = options;
  if (meta !== undefined) flags.meta = meta;
  if (cache !== undefined) flags.cacheBytes = cache;
  if (driver !== undefined) flags.driver = driver;
  if (subdir !== undefined) flags.subdir = subdir;
  if (credentials !== undefined) flags.credentials = credentials;
  // A daemon's directory is another.
  if (flags.credentials !== undefined) flags.credentials = resolve(flags.credentials);
  return flags;
}

/** The options of our own that say what `flags` do. */
function ownOptions(flags: MountFlags): Partial<MountOptions> {
  const { driver, subdir, credentials } = flags;
  return {
    ...(driver === undefined ? {} : { driver }),
    ...(subdir === undefined ? {} : { subdir }),
    ...(credentials === undefined ? {} : { credentials }),
  };
}

/** Until somebody unmounts it or signals come; then everything acknowledged is flushed. */
async function serve(
  running: RunningMount,
  signals: StopSignals,
  mountpoint: string,
  log: Log,
): Promise<void> {
  const unmounted = running.closed.then(() => true);
  const ended = await Promise.race([unmounted, signals.reached(1).then(() => false)]);
  if (!ended) await unmountOnSignal(running, signals, mountpoint, log);
  await running.close();
}

async function unmountOnSignal(
  running: RunningMount,
  signals: StopSignals,
  mountpoint: string,
  log: Log,
): Promise<void> {
  let told = false;
  while (signals.count < 2) {
    try {
      await running.unmount({ lazy: false });
      return;
    } catch (error) {
      if (!isFsError(error, "EBUSY")) throw error;
    }
    if (!told) {
      told = true;
      const holders = await holdersOf(mountpoint);
      log.warn({ mountpoint, holders }, "mount is in use; waiting (a second signal detaches it)");
    }
    await Promise.race([pause(BUSY_RETRY_INTERVAL_MS), signals.reached(2)]);
  }
  await running.unmount({ lazy: true });
  await Promise.race([running.closed, pause(LAZY_CLOSE_TIMEOUT_MS), signals.reached(3)]);
}

function pause(delayMs: number): Promise<void> {
  return new Promise((done) => setTimeout(done, delayMs));
}

async function mountInBackground(
  mountpoint: string,
  url: string,
  options: MountOptions,
): Promise<void> {
  const logFile = resolve(options.logFile ?? defaultLogFile(mountpoint));
  const args = ["mount", mountpoint, "--meta", url];
  for (const list of options.options) args.push("-o", list);
  if (options.cache !== undefined) args.push("--cache", String(options.cache));
  for (const name of ["driver", "subdir", "credentials", "source"] as const) {
    const value = options[name];
    if (value !== undefined) args.push(`--${name}=${value}`);
  }
  const daemon = await spawnDaemon({ args, logFile, timeoutMs: DAEMON_READY_TIMEOUT_MS });
  try {
    await probeMount(await realpath(mountpoint), PROBE_TIMEOUT_MS);
  } catch (error) {
    process.kill(daemon.pid, "SIGTERM");
    const message = error instanceof Error ? error.message : String(error);
    throw new CliError(EXIT.retryable, message, `Its log: ${logFile}`, { cause: error });
  }
  printLine(`dfs mounted at ${mountpoint} (process ${daemon.pid}, log ${logFile})`);
}

function defaultLogFile(mountpoint: string): string {
  const xdg = process.env["XDG_STATE_HOME"];
  const state = xdg !== undefined && xdg !== "" ? xdg : join(homedir(), ".local", "state");
  return join(state, "dfs", "logs", `mount${mountpoint.replaceAll("/", "-")}.log`);
}
