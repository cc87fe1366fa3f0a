// dfs umount MOUNTPOINT
import { resolve } from "node:path";
import type { Command } from "commander";
import { isFsError } from "../../domain/errno.ts";
import { unmountPath } from "../../fuse/mounting/stale-mount.ts";
import { CliError, EXIT } from "../terminal/exit-codes.ts";
import { holdersOf, isFuseMountpoint, syncMount } from "../process/mountpoint.ts";

interface UmountOptions {
  lazy?: boolean;
}

export function define(command: Command): void {
  command
    .argument("<mountpoint>", "directory the file system is mounted at")
    .option("--lazy", "detach it now, even in use; programs keep the files they have open")
    .action(umount);
}

async function umount(directory: string, options: UmountOptions): Promise<void> {
  const mountpoint = resolve(directory);
  if (!(await isFuseMountpoint(mountpoint))) {
    throw new CliError(EXIT.notFound, `no dfs file system is mounted at ${mountpoint}`);
  }
  // In use or gone, a mount is detached without being asked anything.
  const unsynced = options.lazy === true ? undefined : await syncMount(mountpoint);
  try {
    await unmountPath(mountpoint, { lazy: options.lazy === true });
  } catch (error) {
    if (!isFsError(error, "EBUSY")) throw error;
    const holders = await holdersOf(mountpoint);
    const who = holders.length > 0 ? ` by process ${holders.join(", ")}` : "";
    throw new CliError(
      EXIT.failure,
      `${mountpoint} is in use${who}`,
      "Close what is open there, leave the directory, or use `dfs umount --lazy`.",
      { cause: error },
    );
  }
  if (unsynced !== undefined) {
    const message = `${mountpoint} is unmounted, but not all that was written is on disk`;
    throw new CliError(EXIT.failure, message, undefined, { cause: unsynced });
  }
}
