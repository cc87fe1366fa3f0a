// What a busy machine adds to a call and dfs has no part in: time in which the processes that work
// on the call were ready to run and got no CPU. Linux keeps it for each thread, in nanoseconds, as
// the second number of /proc/PID/task/TID/schedstat (Documentation/scheduler/sched-stats.rst).
import { readdir, readFile } from "node:fs/promises";
import { present } from "../present.ts";
import type { E2eCluster } from "./e2e-cluster.ts";

/** The ticks of a process that has nothing else to do come this often. */
const TICK_MS = 10;

export interface TimedCall {
  tookMs: number;
  /** Of that, the machine's part at most. */
  machineMs: number;
}

/** Waits so far of the processes, by which of them work one after the other. */
interface Waits {
  mountMs: Map<string, number>;
  metaMs: number;
  nodesMs: number[];
}

export class MachineWaits {
  readonly #mount: number;
  readonly #meta: number;
  readonly #nodes: readonly number[];

  private constructor(mount: number, meta: number, nodes: readonly number[]) {
    this.#mount = mount;
    this.#meta = meta;
    this.#nodes = nodes;
  }

  /** Of the processes that run now: ask anew after a remount. */
  static async of(cluster: E2eCluster): Promise<MachineWaits> {
    const { mountPid, meta, nodes } = await cluster.report();
    const nodePids = nodes.map(({ pid }) => present(pid));
    return new MachineWaits(present(mountPid), present(meta.pid), nodePids);
  }

  async time<T>(work: () => Promise<T>): Promise<{ value: T; call: TimedCall }> {
    const before = await this.#waits();
    const ticks = new LateTicks();
    try {
      const beginMs = performance.now();
      const value = await work();
      const tookMs = performance.now() - beginMs;
      const machineMs = ticks.lateMs() + waitedBetween(before, await this.#waits());
      return { value, call: { tookMs, machineMs } };
    } finally {
      ticks.stop();
    }
  }

  async #waits(): Promise<Waits> {
    const mountMs = new Map<string, number>();
    for (const task of await readdir(`/proc/${this.#mount}/task`)) {
      mountMs.set(task, await waitedMs(`${this.#mount}/task/${task}`));
    }
    const nodesMs = await Promise.all(this.#nodes.map((pid) => waitedMs(String(pid))));
    return { mountMs, metaMs: await waitedMs(String(this.#meta)), nodesMs };
  }
}

/**
 * A call goes through the mount's main thread, one of its others, the metadata server and whichever
 * node is last, in turn; what nodes wait at the same time counts once.
 */
function waitedBetween(before: Waits, after: Waits): number {
  const mount = [...after.mountMs].map(([task, ms]) => ms - (before.mountMs.get(task) ?? 0));
  const nodes = after.nodesMs.map((ms, at) => ms - present(before.nodesMs[at]));
  const [main = 0, ...others] = mount;
  return main + Math.max(0, ...others) + (after.metaMs - before.metaMs) + Math.max(0, ...nodes);
}

/** A thread that has ended since waited for nothing. */
async function waitedMs(task: string): Promise<number> {
  const text = await readFile(`/proc/${task}/schedstat`, "utf8").catch(() => "0 0 0");
  return Number(present(text.split(" ")[1])) / 1e6;
}

/** How late this process's timer is in all: it waits for a CPU, or the whole machine does. */
class LateTicks {
  readonly #timer = setInterval(() => this.#tick(), TICK_MS);
  #lastMs = performance.now();
  #lateMs = 0;

  lateMs(): number {
    this.#tick();
    return this.#lateMs;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#lateMs += Math.max(0, nowMs - this.#lastMs - TICK_MS - 1);
    this.#lastMs = nowMs;
  }
}
