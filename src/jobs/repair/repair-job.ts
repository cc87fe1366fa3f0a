// Repair: looks at the placement groups that are not known to be whole, those of which damage was
// reported first, until they are.
import { keyOfGroup, type GroupConcerns, type GroupKey } from "../../meta/cluster/group-ledger.ts";
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
  /** In a pass that a new map cut short. */
  readonly #looked = new Set<string>();
  /** Groups in the situation in which nothing more could be done for them. */
  readonly #waiting = new Map<string, string>();
  #groupsLeft = 0;
  #unreadableBlocks = 0;

  constructor(options: RepairOptions) {
    this.#options = options;
  }

  /** Waiting placement groups, rebuilt shards. */
  counts(): JobCounts {
    const done = this.#options.repair.shardsRebuilt;
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
      this.#waiting.clear();
      return "done";
    }
    const view = await ClusterView.take(cluster, calls, signal);
    let unreadableBlocks = 0;
    await forEachBounded(this.#inOrder(groups), REPAIR_GROUPS_AT_ONCE, async (group) => {
      // What is moved now would be moved again.
      if (cluster.current() !== view.map || this.#isWaiting(group, view)) return;
      const { isClean, unreadable, waitsForNodes, unanswered } = await repair.look(
        group,
        view,
        signal,
      );
      this.#looked.add(keyOfGroup(group));
      // While nodes are away it is their absence that matters, and is told.
      if (view.isComplete) unreadableBlocks += unreadable;
      if (isClean) this.#groupsLeft -= 1;
      // What was said of it meanwhile is not dealt with.
      if (waitsForNodes) this.#waiting.set(keyOfGroup(group), situation(view, unanswered));
    });
    if (cluster.current() !== view.map) return "more";
    this.#looked.clear();
    this.#unreadableBlocks = unreadableBlocks;
    return this.#groupsLeft === 0 ? "done" : "later";
  }

  /** Reported ones first, then those that a pass that was cut short has not come to. */
  #inOrder(groups: readonly GroupKey[]): GroupKey[] {
    const rank = (group: GroupKey): number => {
      if (this.#options.cluster.groups.concernsOf(group).findings.length > 0) return 0;
      return this.#looked.has(keyOfGroup(group)) ? 2 : 1;
    };
    return [0, 1, 2].flatMap((wanted) => groups.filter((group) => rank(group) === wanted));
  }

  /** All was done before that can be until a node comes back or something new is said. */
  #isWaiting(group: GroupKey, view: ClusterView): boolean {
    const concerns = this.#options.cluster.groups.concernsOf(group);
    return this.#waiting.get(keyOfGroup(group)) === situation(view, concerns);
  }
}

function situation({ map, reachable }: ClusterView, { findings, doubts }: GroupConcerns): string {
  const concerns = [...findings, ...doubts].map(({ number }) => number);
  return `${map.epoch} ${[...reachable.keys()].toSorted().join()} ${concerns.join()}`;
}
