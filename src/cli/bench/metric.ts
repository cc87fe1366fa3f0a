// A measured figure, and the clocks it is taken with.
import { readFile } from "node:fs/promises";

export interface Metric {
  /** What was measured: "dfs", "codec", or the directory it is compared with. */
  subject: string;
  name: string;
  value: number;
  unit: string;
}

/** A directory to measure. */
export interface BenchTarget {
  subject: string;
  directory: string;
  /** Empties every cache between the program and the data. */
  cold(): Promise<void>;
}

/** Seconds that `work` took. */
export async function timeSeconds(work: () => Promise<void> | void): Promise<number> {
  const beginMs = performance.now();
  await work();
  return Math.max((performance.now() - beginMs) / 1000, 1e-9);
}

/** USER_HZ: fixed at 100 in the kernel's interface to programs on every architecture of ours. */
const TICKS_PER_SECOND = 100;

/** CPU seconds that the whole machine has spent since boot, kernel threads included. */
export async function machineCpuSeconds(): Promise<number> {
  const [line = ""] = (await readFile("/proc/stat", "utf8")).split("\n");
  // proc(5): user nice system idle iowait irq softirq steal; idle and waiting are no work.
  const ticks = line.split(/\s+/).slice(1, 8).map(Number);
  const idle = (ticks[3] ?? 0) + (ticks[4] ?? 0);
  return (ticks.reduce((sum, value) => sum + value, 0) - idle) / TICKS_PER_SECOND;
}

/** Highest resident memory the process ever had, in bytes; undefined when it is gone. */
export async function peakMemoryBytes(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const match = /^VmHWM:\s+(\d+) kB$/m.exec(text);
  return match === null ? undefined : Number(match[1]) * 1024;
}

/** Three significant digits. */
export function formatValue(value: number): string {
  if (value >= 100) return Math.round(value).toString();
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
