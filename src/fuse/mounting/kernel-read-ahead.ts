// The kernel's read-ahead window of a mount, which the protocol can't raise above 128 KiB.
import { writeFile } from "node:fs/promises";
import type { Log } from "../../observability/log.ts";
import { READ_AHEAD_BYTES } from "./limits.ts";
import { findMount } from "./mount-table.ts";

/** Sets read_ahead_kb of the mount's backing device, which only root can; otherwise leaves it. */
export async function setReadAhead(mountpoint: string, log: Log): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  const device = (await findMount(mountpoint))?.device;
  if (device === undefined) return;
  try {
    await writeFile(`/sys/class/bdi/${device}/read_ahead_kb`, `${READ_AHEAD_BYTES / 1024}`);
  } catch (error) {
    log.warn({ err: error, mountpoint }, "cannot set the read-ahead window; reads may be slower");
  }
}
