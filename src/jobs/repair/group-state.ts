// What one look at a placement group has found out so far: which shards stand where, whose slices
// live, and which shards their holders answered for. No calls; those are GroupRepair's.
import type { MapNode, Pool } from "../../domain/cluster-map.ts";
import { formatShardId, type NodeId, type ShardId } from "../../domain/ids.ts";
import type { Doubt, Finding, GroupConcerns, GroupKey } from "../../meta/cluster/group-ledger.ts";
import { homeNodes } from "../../placement/placement.ts";
import type { DamageReport } from "../../protocol/meta/meta-service.ts";
import type { SliceState } from "../slice-ledger.ts";
import type { ClusterView } from "./cluster-view.ts";
import { GroupSurvey, type BlockSurvey } from "./group-survey.ts";
import { planBlock, type BlockPlan } from "./repair-plan.ts";

export interface HeldShard {
  readonly node: NodeId;
  readonly id: ShardId;
}

/** What a home is asked to answer for. */
export interface HomeQuestion {
  readonly home: MapNode;
  readonly shards: ShardId[];
  /** It must read them anew, whatever it knows. */
  readonly verify: boolean;
}

export class GroupState {
  readonly group: GroupKey;
  readonly view: ClusterView;
  readonly survey: GroupSurvey;
  /** Shards whose slices are dead: a record says so. */
  readonly dead: HeldShard[] = [];
  /** Shards of which nothing is known but that their session has ended. */
  readonly orphans: HeldShard[] = [];
  /** Blocks that no record explains: not ours to judge. */
  unexplained = 0;
  readonly #pool: Pool;
  readonly #concerns: GroupConcerns;
  readonly #homes: readonly (MapNode | undefined)[];
  readonly #live = new Map<string, BlockSurvey>();
  readonly #pending = new Set<string>();
  /** Shards that their homes answered for. */
  readonly #sure = new Set<string>();
  /** Copies that were read in this look, by their nodes at least. */
  readonly #verified = new Set<string>();
  /** Copies of which one says that they are good and another that they aren't. */
  readonly #disputed = new Set<string>();

  constructor(pool: Pool, pg: number, view: ClusterView, concerns: GroupConcerns) {
    this.group = { pool: pool.id, pg };
    this.view = view;
    this.survey = new GroupSurvey(pool, pg);
    this.#pool = pool;
    this.#concerns = concerns;
    this.#homes = homeNodes(view.map, pool, pg);
  }

  /** @param states those of the blocks' slices */
  sort(blocks: readonly BlockSurvey[], states: readonly SliceState[]): void {
    blocks.forEach((block, at) => {
      const state = states[at];
      if (state === "live") this.#live.set(keyOfBlock(block), block);
      if (state === "pending") this.#pending.add(keyOfBlock(block));
      if (state === "unknown") this.unexplained += 1;
      if (state === "dead") this.dead.push(...this.#heldOf(block));
      if (state === "orphan") this.orphans.push(...this.#heldOf(block));
    });
  }

  /** Copies of live blocks that somebody complained of, and whose holders can be asked. */
  reportedCopies(): { node: MapNode; shard: ShardId }[] {
    const copies = new Map<string, { node: MapNode; shard: ShardId }>();
    for (const { report } of this.#concerns.findings) {
      const { shard } = report;
      const node = this.view.reachable.get(report.node);
      const holders = this.#live.get(keyOfBlock(shard))?.holders[shard.slot];
      if (node === undefined || holders?.includes(node.id) !== true) continue;
      copies.set(keyOfCopy(node.id, shard), { node, shard });
    }
    return [...copies.values()];
  }

  /** The shard can be had without the one copy that is being looked at. */
  isSpare({ slot, ...block }: ShardId): boolean {
    const holders = this.#live.get(keyOfBlock(block))?.holders ?? [];
    const others = holders.filter((nodes, other) => other !== slot && nodes.length > 0).length;
    return others >= this.#pool.k || (holders[slot]?.length ?? 0) > 1;
  }

  /** Its holder and repair have read it. */
  checked(node: NodeId, shard: ShardId): void {
    this.secured(node, shard, true);
  }

  disputed(node: NodeId, shard: ShardId): void {
    this.#disputed.add(keyOfCopy(node, shard));
  }

  /** The node doesn't have it, or no longer. */
  lost(node: NodeId, { slot, ...block }: ShardId): void {
    const holders = this.#live.get(keyOfBlock(block))?.holders;
    const left = holders?.[slot]?.filter((holder) => holder !== node);
    if (holders !== undefined && left !== undefined) holders[slot] = left;
  }

  /** By home, the shards that it lists and has not answered for yet. */
  questions(): HomeQuestion[] {
    const mustRead = new Set(this.#concerns.findings.map(({ report }) => keyOf(report.shard)));
    const distrusted = new Set(
      this.#concerns.doubts.filter(({ verify }) => verify).map(({ node }) => node),
    );
    const questions = new Map<string, HomeQuestion>();
    for (const { shard, home, holders } of this.#slots()) {
      if (home === undefined || !holders.includes(home.id) || this.#sure.has(keyOf(shard))) {
        continue;
      }
      const verify = holders.length > 1 || distrusted.has(home.id) || mustRead.has(keyOf(shard));
      const key = `${home.id} ${verify}`;
      const question = questions.get(key) ?? { home, shards: [], verify };
      questions.set(key, question);
      question.shards.push(shard);
    }
    return [...questions.values()];
  }

  /** The node has the shard whole and on disk. */
  secured(node: NodeId, shard: ShardId, verified: boolean): void {
    const copy = keyOfCopy(node, shard);
    if (this.#disputed.has(copy)) return;
    if (verified) this.#verified.add(copy);
    if (this.#homes[shard.slot]?.id === node) this.#sure.add(keyOf(shard));
  }

  rebuilt(node: NodeId, shard: ShardId): void {
    const holders = this.#live.get(keyOfBlock(shard))?.holders[shard.slot];
    if (holders?.includes(node) === false) holders.push(node);
    this.secured(node, shard, true);
  }

  /** Shards that were rebuilt while their slices died: gc may have passed their homes before. */
  outlived(shards: readonly ShardId[]): void {
    for (const id of shards) {
      this.#live.delete(keyOfBlock(id));
      const home = this.#homes[id.slot];
      if (home !== undefined) this.dead.push({ node: home.id, id });
    }
  }

  plan(): BlockPlan[] {
    const { pg } = this.group;
    return [...this.#live.values()].map((block) =>
      planBlock(block, this.#pool, pg, this.#homes, this.view.reachable),
    );
  }

  /** All of the block is at home, and this shard was read there: other copies may go. */
  isReplaced(shard: ShardId): boolean {
    const block = this.#live.get(keyOfBlock(shard));
    const home = this.#homes[shard.slot];
    if (block === undefined || home === undefined) return false;
    return this.#verified.has(keyOfCopy(home.id, shard)) && this.#isBlockWhole(block);
  }

  /** Every home answered for every shard of every live block, and no block is still to come. */
  get isWhole(): boolean {
    return (
      this.#pending.size === 0 &&
      [...this.#live.values()].every((block) => this.#isBlockWhole(block))
    );
  }

  /** What is not sure is at homes that can't be asked. */
  get waitsForNodes(): boolean {
    const { reachable } = this.view;
    return (
      this.#pending.size === 0 &&
      this.survey.unreachable.length === 0 &&
      this.#slots().every(
        ({ shard, home }) =>
          this.#sure.has(keyOf(shard)) || (home !== undefined && !reachable.has(home.id)),
      )
    );
  }

  /** Which of the group's concerns this look has answered, and which it has not. */
  outcome(): { answers: GroupConcerns; unanswered: GroupConcerns } {
    const { findings, doubts } = this.#concerns;
    const isAnswered = ({ report }: Finding): boolean => this.#hasAnswered(report);
    const isSettled = ({ node }: Doubt): boolean => this.#hasAnsweredFor(node);
    return {
      answers: { findings: findings.filter(isAnswered), doubts: doubts.filter(isSettled) },
      unanswered: {
        findings: findings.filter((finding) => !isAnswered(finding)),
        doubts: doubts.filter((doubt) => !isSettled(doubt)),
      },
    };
  }

  #hasAnswered({ shard, node }: DamageReport): boolean {
    const block = this.#live.get(keyOfBlock(shard));
    if (block === undefined) return !this.#pending.has(keyOfBlock(shard));
    if (!this.#sure.has(keyOf(shard))) return false;
    const isLeft = block.holders[shard.slot]?.includes(node) === true;
    return !isLeft || this.#verified.has(keyOfCopy(node, shard));
  }

  /** A node that is no home of the group any more has nothing to answer for. */
  #hasAnsweredFor(node: NodeId): boolean {
    if (!this.#homes.some((home) => home?.id === node)) return true;
    if (!this.view.reachable.has(node) || this.survey.unreachable.includes(node)) return false;
    const own = this.#slots().filter(({ home }) => home?.id === node);
    return this.#pending.size === 0 && own.every(({ shard }) => this.#sure.has(keyOf(shard)));
  }

  #isBlockWhole(block: BlockSurvey): boolean {
    return block.holders.every((_, slot) =>
      this.#sure.has(keyOf(this.survey.shardId(block, slot))),
    );
  }

  /** Every slot of every live block. */
  #slots(): { shard: ShardId; home: MapNode | undefined; holders: readonly NodeId[] }[] {
    return [...this.#live.values()].flatMap((block) =>
      block.holders.map((holders, slot) => {
        return { shard: this.survey.shardId(block, slot), home: this.#homes[slot], holders };
      }),
    );
  }

  #heldOf(block: BlockSurvey): HeldShard[] {
    return block.holders.flatMap((holders, slot) =>
      holders.map((node) => ({ node, id: this.survey.shardId(block, slot) })),
    );
  }
}

function keyOfBlock({ slice, index }: Pick<ShardId, "slice" | "index">): string {
  return `${slice}/${index}`;
}

function keyOf(shard: ShardId): string {
  return formatShardId(shard);
}

function keyOfCopy(node: NodeId, shard: ShardId): string {
  return `${node} ${formatShardId(shard)}`;
}
