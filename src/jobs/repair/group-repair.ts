// One placement group brought into order: what was reported of it is checked, every home answers
// for its shards, what it lacks is built anew; only then do surplus copies go. Repair and the
// survey of all groups share this, one look at a group at a time.
import { poolOf, type MapNode } from "../../domain/cluster-map.ts";
import { formatShardId, type ShardId } from "../../domain/ids.ts";
import { passViolation } from "../../domain/invariant.ts";
import {
  concernsUpTo,
  keyOfGroup,
  type GroupConcerns,
  type GroupKey,
} from "../../meta/cluster/group-ledger.ts";
import type { Log } from "../../observability/log.ts";
import { KeyedTurns } from "../../platform/flow/turns.ts";
import { WorkLimit } from "../../platform/flow/work-limit.ts";
import { forEachBounded } from "../concurrency.ts";
import { removeDead } from "../dead-shards.ts";
import { REPAIR_REBUILDS_AT_ONCE } from "../limits.ts";
import type { NodeCalls } from "../node-calls.ts";
import type { SliceState, SliceStates } from "../slice-ledger.ts";
import type { ClusterView, RepairGroups } from "./cluster-view.ts";
import { GroupState, type HeldShard } from "./group-state.ts";
import type { BlockPlan, RebuildTask } from "./repair-plan.ts";
import type { ShardCheck } from "./shard-check.ts";

export interface GroupRepairOptions {
  groups: RepairGroups;
  ledger: SliceStates;
  calls: NodeCalls;
  check: ShardCheck;
  log: Log;
}

export interface GroupResult {
  /** Every home answered for every shard of every live block, and nothing feared is left. */
  isClean: boolean;
  /** Every node that may have shards of the group was asked. */
  sawAll: boolean;
  /** What was garbage is gone. */
  isTidy: boolean;
  /** All is done that can be, until other nodes answer. */
  waitsForNodes: boolean;
  /** Live blocks of which fewer than k shards stand on nodes that answer. */
  unreadable: number;
  /** Blocks that no record explains. */
  unexplained: number;
  /** Of the concerns that it began with those that it could not answer. */
  unanswered: GroupConcerns;
}

type Removal = (node: MapNode, ids: readonly ShardId[]) => Promise<void>;

export class GroupRepair {
  readonly #options: GroupRepairOptions;
  readonly #turns = new KeyedTurns<string>();
  readonly #rebuilding = new WorkLimit(REPAIR_REBUILDS_AT_ONCE);
  #shardsRebuilt = 0;

  constructor(options: GroupRepairOptions) {
    this.#options = options;
  }

  /** Since the server started. */
  get shardsRebuilt(): number {
    return this.#shardsRebuilt;
  }

  /** Looks at the group, mends what it can, and has recorded what it found. */
  look(group: GroupKey, view: ClusterView, signal: AbortSignal): Promise<GroupResult> {
    return this.#turns.run(keyOfGroup(group), () => this.#look(group, view, signal));
  }

  async #look(group: GroupKey, view: ClusterView, signal: AbortSignal): Promise<GroupResult> {
    const { groups, ledger, calls } = this.#options;
    const concerns = concernsUpTo(groups.concernsOf(group), view.lastConcern);
    const state = new GroupState(poolOf(view.map, group.pool), group.pg, view, concerns);
    await state.survey.list(view.holdersOf(group), calls, signal);
    for (const { report } of concerns.findings) state.survey.block(report.shard);
    const blocks = state.survey.blocks;
    state.sort(blocks, await ledger.states(blocks.map(({ slice }) => slice)));
    await this.#checkFindings(state, signal);
    await this.#askHomes(state, signal);
    const plans = state.plan();
    await this.#rebuildAll(
      state,
      plans.flatMap(({ rebuilds }) => rebuilds),
      signal,
    );
    const tidied = await this.#tidy(state, plans, signal);
    const sawAll = view.isComplete && state.survey.unreachable.length === 0;
    const isClean = sawAll && state.isWhole && tidied.copies;
    const { answers, unanswered } = state.outcome();
    await groups.recordLooks([{ group, isClean, answers }], view.map.epoch);
    const unreadable = plans.filter((plan) => plan.unreadable).length;
    const isTidy = tidied.copies && tidied.garbage;
    const waitsForNodes = !view.isComplete && isTidy && state.waitsForNodes;
    const { unexplained } = state;
    return { isClean, sawAll, isTidy, waitsForNodes, unreadable, unexplained, unanswered };
  }

  /** Has reported shards read by their holders and reads them; spoilt ones stand no longer. */
  async #checkFindings(state: GroupState, signal: AbortSignal): Promise<void> {
    for (const { shard, node } of state.reportedCopies()) {
      const isSpare = state.isSpare(shard);
      const result = await this.#options.check.check(node, shard, isSpare, signal);
      if (result === "good") state.checked(node.id, shard);
      if (result === "gone") state.lost(node.id, shard);
      if (result === "unsure") state.disputed(node.id, shard);
    }
  }

  /** Asks each home for the shards that it lists: it must have them whole and on disk. */
  async #askHomes(state: GroupState, signal: AbortSignal): Promise<void> {
    const { calls, log } = this.#options;
    await Promise.all(
      state.questions().map(async ({ home, shards, verify }) => {
        try {
          const verdicts = await calls.secure(home, shards, verify, signal);
          shards.forEach((shard, at) => {
            if (verdicts[at] === "secure") state.secured(home.id, shard, verify);
            else state.lost(home.id, shard);
          });
        } catch (error) {
          passViolation(error);
          if (signal.aborted) throw error;
          log.debug({ err: error, node: home.id }, "a node could not answer for its shards");
        }
      }),
    );
  }

  async #rebuildAll(state: GroupState, tasks: RebuildTask[], signal: AbortSignal): Promise<void> {
    const { calls, log, ledger } = this.#options;
    const rebuilt: RebuildTask[] = [];
    let failed = 0;
    const byUrgency = [...tasks].sort((a, b) => a.survivors - b.survivors);
    await forEachBounded(byUrgency, REPAIR_REBUILDS_AT_ONCE, async (task) => {
      try {
        await this.#rebuilding.run(1, signal, () =>
          calls.rebuild(task.target, task.request, signal),
        );
        this.#shardsRebuilt += 1;
        state.rebuilt(task.target.id, task.request.id);
        rebuilt.push(task);
      } catch (error) {
        passViolation(error);
        if (signal.aborted) throw error;
        failed += 1;
        log.debug({ err: error, shard: formatShardId(task.request.id) }, "rebuild failed");
      }
    });
    if (failed > 0) log.warn({ ...state.group, failed }, "shards could not be rebuilt");
    const fates = await ledger.states(rebuilt.map(({ request }) => request.id.slice));
    state.outlived(rebuilt.map(({ request }) => request.id).filter((_, at) => isOver(fates[at])));
  }

  /** Deletes and parks what is not to stay; says what could be. */
  async #tidy(
    state: GroupState,
    plans: readonly BlockPlan[],
    signal: AbortSignal,
  ): Promise<{ copies: boolean; garbage: boolean }> {
    const { ledger, calls } = this.#options;
    const erase: Removal = (node, ids) => calls.deleteMany(node, ids, signal);
    const bury: Removal = (node, ids) => removeDead(this.#options, node, ids, signal);
    const park: Removal = (node, ids) => calls.park(node, ids, signal);
    const surplus = plans.flatMap((plan) => plan.surplus).filter(({ id }) => state.isReplaced(id));
    const gone = await this.#remove(erase, surplus, state, signal);
    for (const { node, id } of gone) state.lost(node, id);
    const { dead, orphans } = state;
    const deleted = await this.#remove(bury, dead, state, signal);
    const mayPark = orphans.length > 0 && (await ledger.mayInfer());
    const parked = mayPark ? await this.#remove(park, orphans, state, signal) : [];
    const garbage = deleted.length === dead.length && parked.length === orphans.length;
    return { copies: gone.length === surplus.length, garbage };
  }

  /** Removes shards from their nodes; those that are gone then. */
  async #remove(
    removal: Removal,
    shards: readonly HeldShard[],
    { view }: GroupState,
    signal: AbortSignal,
  ): Promise<HeldShard[]> {
    const { log } = this.#options;
    const gone: HeldShard[] = [];
    for (const nodeId of new Set(shards.map(({ node }) => node))) {
      const node = view.reachable.get(nodeId);
      if (node === undefined) continue;
      const held = shards.filter((shard) => shard.node === nodeId);
      const ids = held.map(({ id }) => id);
      try {
        await removal(node, ids);
        gone.push(...held);
      } catch (error) {
        passViolation(error);
        if (signal.aborted) throw error;
        log.debug({ err: error, node: nodeId }, "a node could not delete its shards");
      }
    }
    return gone;
  }
}

/** Of a slice that lived a moment ago: nobody reads it any more. */
function isOver(state: SliceState | undefined): boolean {
  return state === "dead" || state === "orphan" || state === "unknown";
}
