// Repair: looks at the placement groups that are not known to be whole, those of which damage was
// reported first, until they are.
import { forEachBounded } from "../concurrency.ts";
import type { Job, JobCounts } from "../job.ts";
import { REPAIR_GROUPS_AT_ONCE, REPAIR_INTERVAL_MS } from "../limits.ts";
import type { NodeCalls } from "../node-calls.ts";
import { ClusterView, type RepairCluster } from "./cluster-view.ts";
import type { GroupRepair } from "./group-repair.ts";

export interface RepairOptions {
  cluster: RepairCluster;
  calls: NodeCalls;
  repair: GroupRepair;
}

export class RepairJob implements Job {
  readonly name = "repair";
  readonly intervalMs = REPAIR_INTERVAL_MS;
  readonly #options: RepairOptions;
  #groupsLeft = 0;
  #unreadableBlocks = 0;

  constructor(options: RepairOptions) {
    this.#options = options;
  }

  /** Waiting placement groups, rebuilt shards. */
  counts(): JobCounts {
    const done = this.#options.repair.counts.shardsRebuilt;
    return { waiting: this.#groupsLeft, done };
  }

  /** Blocks of which too few shards stand on all nodes together, as of the last pass. */
  get unreadableBlocks(): number {
    return this.#unreadableBlocks;
  }

  async pass(signal: AbortSignal): Promise<"done" | "later" | "more"> {
    const { cluster, calls, repair } = this.#options;
    const groups = cluster.groups.dirty();
    this.#groupsLeft = groups.length;
    if (groups.length === 0) {
      this.#unreadableBlocks = 0;
      return "done";
    }
    const view = await ClusterView.take(cluster, calls, signal);
    const isReported = (group: (typeof groups)[number]): boolean =>
      cluster.groups.concernsOf(group).findings.length > 0;
    const ordered = [...groups.filter(isReported), ...groups.filter((group) => !isReported(group))];
    let unreadableBlocks = 0;
    await forEachBounded(ordered, REPAIR_GROUPS_AT_ONCE, async (group) => {
      // What is moved now would be moved again.
      if (cluster.current() !== view.map) return;
      const { isClean, unreadable } = await repair.look(group, view, signal);
      // While nodes are away it is their absence that matters, and is told.
      if (view.isComplete) unreadableBlocks += unreadable;
      if (isClean) this.#groupsLeft -= 1;
    });
    if (cluster.current() !== view.map) return "more";
    this.#unreadableBlocks = unreadableBlocks;
    return this.#groupsLeft === 0 ? "done" : "later";
  }
}
