// Blocks that no listing shows, since no node has any shard of them: found from the metadata, which
// knows what should be there.
import { poolOf, type ClusterMap, type MapNode } from "../../domain/cluster-map.ts";
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

interface Asked {
  readonly about: Question;
  readonly node: NodeId;
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
    const settled = questions.filter((question) => !isUnsettled(question));
    const missing = [
      ...(await this.#lackedAtHome(settled, view, signal)),
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
    const asked = questions.map((about) => ({ about, node: about.home, shard: about.shard }));
    const answers = await this.#ask(asked, view, signal);
    return answers.filter(({ has }) => has === false).map(({ about }) => about);
  }

  /** Those of which no shard at all is seen. Nobody can say so while nodes are away. */
  async #heldByNobody(
    questions: readonly Question[],
    view: ClusterView,
    signal: AbortSignal,
  ): Promise<Question[]> {
    if (!view.isComplete) return [];
    const asked = questions.flatMap((about) => {
      const { k, m } = poolOf(view.map, about.shard.pool);
      const slots = Array.from({ length: k + m }, (_, slot) => slot);
      return view
        .holdersOf(about.shard)
        .flatMap(({ id: node }) =>
          slots.map((slot) => ({ about, node, shard: { ...about.shard, slot } })),
        );
    });
    const answers = await this.#ask(asked, view, signal);
    const notLost = new Set(answers.filter(({ has }) => has !== false).map(({ about }) => about));
    return questions.filter((question) => !notLost.has(question));
  }

  /** Whether the nodes have the shards; of one that doesn't answer nothing is known. */
  async #ask(
    asked: readonly Asked[],
    view: ClusterView,
    signal: AbortSignal,
  ): Promise<{ about: Question; has: boolean | undefined }[]> {
    const byNode = new Map<NodeId, Asked[]>();
    for (const one of asked) {
      const list = byNode.get(one.node);
      if (list === undefined) byNode.set(one.node, [one]);
      else list.push(one);
    }
    const answers = await Promise.all(
      [...byNode].map(async ([id, list]) => {
        const shards = list.map(({ shard }) => shard);
        const infos = await this.#heads(view.reachable.get(id), shards, signal);
        return list.map(({ about }, at) => {
          return { about, has: infos && infos[at] !== undefined };
        });
      }),
    );
    return answers.flat();
  }

  async #heads(
    node: MapNode | undefined,
    shards: readonly ShardId[],
    signal: AbortSignal,
  ): Promise<readonly unknown[] | undefined> {
    if (node === undefined) return undefined;
    try {
      return await this.#options.calls.headMany(node, shards, signal);
    } catch (error) {
      passViolation(error);
      // A node that doesn't answer has its groups looked at when it does.
      if (signal.aborted) throw error;
      return undefined;
    }
  }
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
