// The survey: every hour, and when sessions left slice ids behind, looks at all placement groups,
// clean ones too, a few at a time. It finds losses that nobody reported and shards that nobody
// owns.
import type { Pool } from "../../domain/cluster-map.ts";
import type { SliceId } from "../../domain/ids.ts";
import type { GroupKey } from "../../meta/cluster/group-ledger.ts";
import type { Clock } from "../../platform/clock.ts";
import { forEachBounded } from "../concurrency.ts";
import { paceAfter, type Job, type JobCounts, type PassOutcome } from "../job.ts";
import {
  FIRST_SURVEY_AFTER_MS,
  FULL_SURVEY_INTERVAL_MS,
  REPAIR_GROUPS_AT_ONCE,
  SURVEY_GROUPS_A_STEP,
  WANTED_SURVEY_AFTER_MS,
} from "../limits.ts";
import type { NodeCalls } from "../node-calls.ts";
import type { SurveyLedger } from "../slice-ledger.ts";
import { ClusterView, type RepairCluster } from "./cluster-view.ts";
import type { GroupRepair } from "./group-repair.ts";
import type { LostBlocks } from "./lost-blocks.ts";

export interface SurveyOptions {
  cluster: RepairCluster;
  ledger: SurveyLedger;
  calls: NodeCalls;
  repair: GroupRepair;
  lost: LostBlocks;
  clock: Clock;
}

/** One walk over all groups. */
interface Walk {
  /** Where the second part goes on, which looks for blocks that no listing shows. */
  slices: SliceId | undefined;
  readonly left: GroupKey[];
  readonly abandoned: ReadonlySet<SliceId>;
  sawAll: boolean;
  isTidy: boolean;
  unexplained: number;
}

export class SurveyJob implements Job {
  readonly name = "survey";
  readonly intervalMs = FULL_SURVEY_INTERVAL_MS;
  readonly #options: SurveyOptions;
  #dueMs: number;
  #walk: Walk | undefined;
  #surveys = 0;
  #unexplained = 0;

  constructor(options: SurveyOptions) {
    this.#options = options;
    this.#dueMs = options.clock.monotonicMs() + FIRST_SURVEY_AFTER_MS;
  }

  /** Placement groups left of the survey under way; surveys done. */
  counts(): JobCounts {
    return { waiting: this.#walk?.left.length ?? 0, done: this.#surveys };
  }

  /** Blocks that no record explains, as of the last survey. */
  get unexplained(): number {
    return this.#unexplained;
  }

  async pass(signal: AbortSignal): Promise<PassOutcome> {
    const { clock, cluster, calls, ledger } = this.#options;
    const startMs = clock.monotonicMs();
    const isDue = startMs >= this.#dueMs;
    let abandoned: ReadonlySet<SliceId> = new Set();
    if (this.#walk === undefined) {
      abandoned = await ledger.abandonedRanges();
      const isWanted = isDue || abandoned.size > 0 || !(await ledger.mayInfer());
      if (!isWanted) return { idleForMs: Math.min(this.#dueMs - startMs, WANTED_SURVEY_AFTER_MS) };
    }
    const view = await ClusterView.take(cluster, calls, signal);
    // One that is due finds what it can; the others want to see everything.
    if (this.#walk === undefined && !isDue && !view.isComplete) return "later";
    this.#walk ??= beginWalk(view.map.pools, abandoned);
    await this.#step(this.#walk, view, signal);
    if (this.#walk.left.length > 0 || this.#walk.slices !== undefined)
      return paceAfter(clock.monotonicMs() - startMs);
    await this.#end(this.#walk);
    this.#walk = undefined;
    this.#dueMs = clock.monotonicMs() + FULL_SURVEY_INTERVAL_MS;
    return { idleForMs: WANTED_SURVEY_AFTER_MS };
  }

  async #step(walk: Walk, view: ClusterView, signal: AbortSignal): Promise<void> {
    walk.sawAll &&= view.isComplete;
    if (walk.left.length === 0 && walk.slices !== undefined) {
      walk.slices = await this.#options.lost.step(walk.slices, view, signal);
      return;
    }
    const groups = walk.left.slice(0, SURVEY_GROUPS_A_STEP);
    await forEachBounded(groups, REPAIR_GROUPS_AT_ONCE, async (group) => {
      const { sawAll, isTidy, unexplained } = await this.#options.repair.look(group, view, signal);
      walk.sawAll &&= sawAll;
      walk.isTidy &&= isTidy;
      walk.unexplained += unexplained;
    });
    walk.left.splice(0, groups.length);
  }

  async #end({ sawAll, isTidy, abandoned, unexplained }: Walk): Promise<void> {
    this.#surveys += 1;
    this.#unexplained = unexplained;
    if (sawAll) await this.#options.ledger.surveyed({ abandoned, isTidy });
  }
}

function beginWalk(pools: readonly Pool[], abandoned: ReadonlySet<SliceId>): Walk {
  const left = pools.flatMap((pool) =>
    Array.from({ length: pool.pgCount }, (_, pg) => ({ pool: pool.id, pg })),
  );
  return { left, slices: 0 as SliceId, abandoned, sawAll: true, isTidy: true, unexplained: 0 };
}
