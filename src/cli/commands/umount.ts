// dfs umount MOUNTPOINT
import { resolve } from "node:path";
import type { Command } from "commander";
import { isFsError } from "../../domain/errno.ts";
import { unmountPath } from "../../fuse/mounting/stale-mount.ts";
import { CliError, EXIT } from "../terminal/exit-codes.ts";
import { holdersOf, isFuseMountpoint } from "../process/mountpoint.ts";

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
}
