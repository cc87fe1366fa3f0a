// The kernel's end of a mount's connection, for a process that can't close its own.
import { writeFileSync } from "node:fs";
import { findMount } from "./mount-table.ts";

/**
 * Returns what aborts the connection of the mount at `mountpoint`: every request under way and
 * every later one fails, whatever thread of this process waits for the kernel meanwhile. Without
 * the right to, or without fusectl, it does nothing (fs/fuse/control.c, Linux 6.1).
 */
export async function connectionAborter(mountpoint: string): Promise<() => void> {
  const minor = (await findMount(mountpoint))?.device.split(":")[1];
  return () => {
    if (minor === undefined) return;
    try {
      writeFileSync(`/sys/fs/fuse/connections/${minor}/abort`, "1");
    } catch {
      // The process's end does it, unless one of its threads is stuck in the kernel.
    }
  };
}
