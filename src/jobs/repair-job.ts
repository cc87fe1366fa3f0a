// Repair: brings every shard of unclean placement groups home, from a copy or from k others, and
// deletes surplus copies and shards that no slice owns. The target node does the pulling.
import { poolOf, type ClusterMap, type MapNode, type Pool } from "../domain/cluster-map.ts";
import {
  REPAIR_FULL_SURVEY_INTERVAL_MS,
  REPAIR_GROUPS_AT_ONCE,
  REPAIR_REBUILDS_AT_ONCE,
} from "./limits.ts";
import type { Epoch, NodeId, PoolId, ShardId } from "../domain/ids.ts";
import { homeNodes } from "../placement/placement.ts";
import type { Log } from "../observability/log.ts";
import { forEachBounded } from "./concurrency.ts";
import { surveyGroup, type BlockSurvey, type NodeShards } from "./group-survey.ts";
import type { Job, JobCounts } from "./job.ts";
import { planBlock, type BlockPlan, type RebuildTask } from "./repair-plan.ts";
import type { SliceLedger, SliceState } from "./slice-ledger.ts";

export interface GroupKey {
  pool: PoolId;
  pg: number;
}

/** The cluster as repair sees it. */
export interface RepairCluster {
  current(): ClusterMap;
  /** Groups not known to be whole under the current map. */
  dirtyGroups(): GroupKey[];
  /** Counts damage reports, so that a report during a pass isn't wiped out by its result. */
  damageCount(): number;
  /** The groups were whole at `epoch`, with no damage reported after count `damageCount`. */
  markClean(groups: readonly GroupKey[], epoch: Epoch, damageCount: number): Promise<void>;
}

export interface RepairOptions {
  cluster: RepairCluster;
  ledger: SliceLedger;
  shardsOf: NodeShards;
  log: Log;
}

export interface RepairProgress {
  groupsLeft: number;
  shardsRebuilt: number;
  shardsDeleted: number;
  unreadableBlocks: number;
}

/** What one pass knows: a map, the nodes that answered, and who holds which groups. */
interface Pass {
  map: ClusterMap;
  damageCount: number;
  reachable: Map<NodeId, MapNode>;
  /** Every node that may hold shards answered. */
  complete: boolean;
  holders: Map<string, MapNode[]>;
  unreadable: number;
  signal: AbortSignal;
}

export class RepairJob implements Job {
  readonly name = "repair";
  readonly intervalMs = REPAIR_FULL_SURVEY_INTERVAL_MS;
  readonly #options: RepairOptions;
  #fullSurvey = false;
  #progress: RepairProgress = {
    groupsLeft: 0,
    shardsRebuilt: 0,
    shardsDeleted: 0,
    unreadableBlocks: 0,
  };

  constructor(options: RepairOptions) {
    this.#options = options;
  }

  /** The next pass looks at every group, clean ones too. Wake the loop afterwards. */
  requestFullSurvey(): void {
    this.#fullSurvey = true;
  }

  /** Waiting placement groups, rebuilt shards. */
  counts(): JobCounts {
    return { waiting: this.#progress.groupsLeft, done: this.#progress.shardsRebuilt };
  }

  progress(): RepairProgress {
    return { ...this.#progress };
  }

  async pass(signal: AbortSignal): Promise<"done" | "later"> {
    const { cluster, ledger } = this.#options;
    const full = this.#fullSurvey;
    const abandoned = full ? await ledger.abandonedRanges() : undefined;
    const state = await this.#beginPass(signal);
    const groups = full ? allGroups(state) : cluster.dirtyGroups();
    this.#progress = { ...this.#progress, groupsLeft: groups.length };

    const clean = groups.filter((group) => state.complete && !state.holders.has(keyOf(group)));
    const unsettled: GroupKey[] = [];
    const held = groups.filter((group) => state.holders.has(keyOf(group)));
    await forEachBounded(held, REPAIR_GROUPS_AT_ONCE, async (group) => {
      const outcome = await this.#repairGroup(group, state);
      if (outcome.clean) clean.push(group);
      if (!outcome.settled) unsettled.push(group);
      this.#progress.groupsLeft--;
    });
    if (clean.length > 0) {
      await cluster.markClean(clean, state.map.epoch, state.damageCount);
    }
    this.#progress = {
      ...this.#progress,
      groupsLeft: groups.length - clean.length,
      unreadableBlocks: state.unreadable,
    };
    if (full && state.complete && unsettled.length === 0) {
      this.#fullSurvey = false;
      if (abandoned !== undefined) await ledger.forgetAbandonedRanges(abandoned);
    }
    return clean.length === groups.length && !this.#fullSurvey ? "done" : "later";
  }

  async #beginPass(signal: AbortSignal): Promise<Pass> {
    const { cluster, shardsOf } = this.#options;
    const map = cluster.current();
    const damageCount = cluster.damageCount();
    const state: Pass = {
      map,
      damageCount,
      reachable: new Map(),
      complete: map.nodes.every((node) => node.state !== "down"),
      holders: new Map(),
      unreadable: 0,
      signal,
    };
    const askable = map.nodes.filter((node) => node.state === "up" || node.state === "draining");
    await Promise.all(
      askable.map(async (node) => {
        try {
          const held = await shardsOf(node).groups(signal);
          state.reachable.set(node.id, node);
          for (const [pool, pg] of held) {
            const key = keyOf({ pool, pg });
            const nodes = state.holders.get(key);
            if (nodes === undefined) state.holders.set(key, [node]);
            else nodes.push(node);
          }
        } catch (error) {
          if (signal.aborted) throw error;
          state.complete = false;
        }
      }),
    );
    return state;
  }

  async #repairGroup(group: GroupKey, state: Pass): Promise<{ clean: boolean; settled: boolean }> {
    const pool = poolOf(state.map, group.pool);
    const nodes = state.holders.get(keyOf(group)) ?? [];
    const { shardsOf, ledger, log } = this.#options;
    const survey = await surveyGroup(pool, group.pg, nodes, shardsOf, state.signal);
    const states = await ledger.states(survey.blocks.map((block) => block.slice));
    const plans = planGroup(survey.blocks, states, pool, group.pg, state);
    state.unreadable += plans.live.filter((plan) => plan.unreadable).length;

    const tasks = plans.live.flatMap((plan) => plan.rebuilds);
    const failed = await this.#rebuildAll(tasks, state.signal);
    const whole = plans.live.filter(
      (plan) => !plan.waiting && plan.rebuilds.every((t) => !failed.has(t)),
    );
    const garbage = [...plans.garbage, ...whole.flatMap((plan) => plan.surplus)];
    const deleted = await this.#deleteAll(garbage, state);

    const settled = survey.unreachable.length === 0 && deleted;
    const clean =
      settled &&
      state.complete &&
      plans.pending === 0 &&
      whole.length === plans.live.length &&
      plans.live.every((plan) => !plan.unreadable);
    if (failed.size > 0) log.warn({ ...group, failed: failed.size }, "shards could not be rebuilt");
    return { clean, settled };
  }

  async #rebuildAll(tasks: RebuildTask[], signal: AbortSignal): Promise<Set<RebuildTask>> {
    const { shardsOf, log } = this.#options;
    const failed = new Set<RebuildTask>();
    const byUrgency = [...tasks].sort((a, b) => a.survivors - b.survivors);
    await forEachBounded(byUrgency, REPAIR_REBUILDS_AT_ONCE, async (task) => {
      try {
        await shardsOf(task.target).rebuild(task.request, signal);
        this.#progress.shardsRebuilt++;
      } catch (error) {
        if (signal.aborted) throw error;
        failed.add(task);
        log.debug({ err: error, shard: task.request.id }, "rebuild failed");
      }
    });
    return failed;
  }

  /** False when a node could not delete. */
  async #deleteAll(
    shards: readonly { node: NodeId; id: ShardId }[],
    state: Pass,
  ): Promise<boolean> {
    const byNode = new Map<NodeId, ShardId[]>();
    for (const { node, id } of shards) {
      const ids = byNode.get(node);
      if (ids === undefined) byNode.set(node, [id]);
      else ids.push(id);
    }
    let complete = true;
    for (const [nodeId, ids] of byNode) {
      const node = state.reachable.get(nodeId);
      if (node === undefined) continue;
      try {
        await this.#options.shardsOf(node).deleteMany(ids, state.signal);
        this.#progress.shardsDeleted += ids.length;
      } catch (error) {
        if (state.signal.aborted) throw error;
        complete = false;
      }
    }
    return complete;
  }
}

function planGroup(
  blocks: readonly BlockSurvey[],
  states: readonly SliceState[],
  pool: Pool,
  pg: number,
  { map, reachable }: Pass,
): { live: BlockPlan[]; garbage: { node: NodeId; id: ShardId }[]; pending: number } {
  const homes = homeNodes(map, pool, pg);
  const live: BlockPlan[] = [];
  const garbage: { node: NodeId; id: ShardId }[] = [];
  let pending = 0;
  blocks.forEach((block, i) => {
    if (states[i] === "live") {
      live.push(planBlock(block, pool, pg, homes, reachable));
    } else if (states[i] === "pending") {
      pending++;
    } else {
      block.holders.forEach((holders, slot) => {
        const id = { pool: pool.id, pg, slice: block.slice, index: block.index, slot };
        garbage.push(...holders.map((node) => ({ node, id })));
      });
    }
  });
  return { live, garbage, pending };
}

function keyOf({ pool, pg }: GroupKey): string {
  return `${pool}/${pg}`;
}

function allGroups({ map }: Pass): GroupKey[] {
  return map.pools.flatMap((pool) =>
    Array.from({ length: pool.pgCount }, (_, pg) => ({ pool: pool.id, pg })),
  );
}
