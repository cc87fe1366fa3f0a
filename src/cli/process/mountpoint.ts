// What can be found out about a mountpoint, mostly without touching what is mounted there.
import { constants, open, readdir, readFile, readlink } from "node:fs/promises";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { findMount, parseMountInfo } from "../../fuse/mounting/mount-table.ts";
import { CliError, EXIT } from "../terminal/exit-codes.ts";

const run = promisify(execFile);

/** Processes listed as holding a mount; more would not help anybody. */
const MAX_HOLDERS_SHOWN = 5;

/** True when a FUSE file system is mounted at this path, alive or not. */
export async function isFuseMountpoint(path: string): Promise<boolean> {
  return (await findMount(path))?.type.startsWith("fuse") === true;
}

/** Mountpoints below a directory, whatever is mounted there. */
export async function mountpointsBelow(directory: string): Promise<string[]> {
  const table = parseMountInfo(await readFile("/proc/self/mountinfo", "latin1"));
  return table
    .map(({ mountpoint }) => mountpoint)
    .filter((path) => path.startsWith(`${directory}/`));
}

/**
 * Stats the mountpoint from another process, so that a mount that hangs can't hang this one.
 * @throws CliError (retryable)
 */
export async function probeMount(path: string, timeoutMs: number): Promise<void> {
  try {
    await run("stat", ["--file-system", "--format=%t", path], {
      timeout: timeoutMs,
      killSignal: "SIGKILL",
    });
  } catch (error) {
    const message = `${path} is mounted but doesn't answer`;
    throw new CliError(EXIT.retryable, message, undefined, { cause: error });
  }
}

/**
 * Everything that was written through the mount is on disk: dfs does that for fdatasync(2) of a
 * directory. Nothing where its process is gone, or refuses this user.
 * @returns why it is not
 */
export async function syncMount(path: string): Promise<Error | undefined> {
  try {
    const directory = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await directory.datasync();
    } finally {
      await directory.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const nobody = ["ENOTCONN", "ECONNABORTED", "EACCES", "EPERM"].includes(code ?? "");
    if (!nobody) return error as Error;
  }
  return undefined;
}

/** "PID (name)" of processes with an open file or their directory below `path`. */
export async function holdersOf(path: string): Promise<string[]> {
  const holders: string[] = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    if (!(await holds(pid, path))) continue;
    const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "?");
    holders.push(`${pid} (${name.trim()})`);
    if (holders.length === MAX_HOLDERS_SHOWN) break;
  }
  return holders;
}

async function holds(pid: string, path: string): Promise<boolean> {
  const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const links = [
    `/proc/${pid}/cwd`,
    `/proc/${pid}/root`,
    ...fds.map((fd) => `/proc/${pid}/fd/${fd}`),
  ];
  for (const link of links) {
    const target = await readlink(link).catch(() => "");
    if (target === path || target.startsWith(`${path}/`)) return true;
  }
  return false;
}
