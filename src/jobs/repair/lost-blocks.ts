// Blocks that no listing shows, since no node has any shard of them: found from the metadata, which
// knows what should be there.
import type { ClusterMap } from "../../domain/cluster-map.ts";
import { poolOf } from "../../domain/cluster-map.ts";
import type { NodeId, ShardId, SliceId } from "../../domain/ids.ts";
import { passViolation } from "../../domain/invariant.ts";
import { blockCount } from "../../domain/layout.ts";
import { keyOfGroup } from "../../meta/cluster/group-ledger.ts";
import { homeNodes, placementGroupOf } from "../../placement/placement.ts";
import { WALK_STEP_RECORDS } from "../limits.ts";
import type { NodeCalls } from "../node-calls.ts";
import type { StripedSlice, SurveyLedger } from "../slice-ledger.ts";
import type { ClusterView, RepairGroups } from "./cluster-view.ts";

export interface LostBlocksOptions {
  ledger: SurveyLedger;
  calls: NodeCalls;
  groups: RepairGroups;
}

/** Whether a block's home has its shard. */
interface Question {
  readonly home: NodeId;
  readonly shard: ShardId;
}

export class LostBlocks {
  readonly #options: LostBlocksOptions;

  constructor(options: LostBlocksOptions) {
    this.#options = options;
  }

  /**
   * Looks at live slices from `from` on, and reports what is missing of them. In groups that count
   * as whole one home is asked, of any other whoever has shards of it: what hasn't come home yet
   * isn't lost. Resolves to where to go on; undefined at the end.
   */
  async step(from: SliceId, view: ClusterView, signal: AbortSignal): Promise<SliceId | undefined> {
    const { ledger, groups } = this.#options;
    const { found, next } = await ledger.stripedSlices(from, WALK_STEP_RECORDS);
    const dirty = new Set(groups.dirty().map(keyOfGroup));
    const questions = found.flatMap((slice) => questionsOf(slice, view.map));
    const isUnsettled = ({ shard }: Question): boolean => dirty.has(keyOfGroup(shard));
    const missing = [
      ...(await this.#lackedAtHome(
        questions.filter((question) => !isUnsettled(question)),
        view,
        signal,
      )),
      ...(await this.#heldByNobody(questions.filter(isUnsettled), view, signal)),
    ];
    await groups.reportDamage(
      missing.map(({ home, shard }) => ({ kind: "missing", shard, node: home })),
    );
    return next;
  }

  async #lackedAtHome(
    questions: readonly Question[],
    view: ClusterView,
    signal: AbortSignal,
  ): Promise<Question[]> {
    const byHome = new Map<NodeId, Question[]>();
    for (const question of questions) append(byHome, question.home, question);
    const lacked: Question[] = [];
    await Promise.all(
      [...byHome].map(async ([home, asked]) => {
        const has = await this.#ask(
          home,
          asked.map(({ shard }) => shard),
          view,
          signal,
        );
        if (has !== undefined) lacked.push(...asked.filter((_, at) => has[at] === false));
      }),
    );
    return lacked;
  }

  /** Those of which no shard at all is seen, where everybody who may have one answers. */
  async #heldByNobody(
    questions: readonly Question[],
    view: ClusterView,
    signal: AbortSignal,
  ): Promise<Question[]> {
    const byHolder = new Map<NodeId, { question: Question; shard: ShardId }[]>();
    for (const question of questions) {
      const { k, m } = poolOf(view.map, question.shard.pool);
      for (const { id } of view.holdersOf(question.shard)) {
        for (let slot = 0; slot < k + m; slot++) {
          append(byHolder, id, { question, shard: { ...question.shard, slot } });
        }
      }
    }
    const notLost = new Set<Question>();
    await Promise.all(
      [...byHolder].map(async ([holder, asked]) => {
        const has = await this.#ask(
          holder,
          asked.map(({ shard }) => shard),
          view,
          signal,
        );
        asked.forEach(({ question }, at) => {
          if (has?.[at] !== false) notLost.add(question);
        });
      }),
    );
    return questions.filter(
      (question) => view.reachable.has(question.home) && !notLost.has(question),
    );
  }

  /** Which of the shards the node has; undefined when it doesn't answer. */
  async #ask(
    id: NodeId,
    shards: readonly ShardId[],
    view: ClusterView,
    signal: AbortSignal,
  ): Promise<boolean[] | undefined> {
    const node = view.reachable.get(id);
    if (node === undefined) return undefined;
    try {
      const infos = await this.#options.calls.headMany(node, shards, signal);
      return infos.map((info) => info !== undefined);
    } catch (error) {
      passViolation(error);
      // A node that doesn't answer has its groups looked at when it does.
      if (signal.aborted) throw error;
      return undefined;
    }
  }
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

/** For each block one of its homes, not the same for all, and the shard that it should have. */
function questionsOf({ slice, pool: id, storedBytes }: StripedSlice, map: ClusterMap): Question[] {
  const pool = poolOf(map, id);
  return Array.from({ length: blockCount(storedBytes) }, (_, index) => {
    const pg = placementGroupOf(pool, slice, index);
    const slot = (slice + index) % (pool.k + pool.m);
    const home = homeNodes(map, pool, pg)[slot]?.id;
    return home === undefined ? [] : [{ home, shard: { pool: id, pg, slice, index, slot } }];
  }).flat();
}
