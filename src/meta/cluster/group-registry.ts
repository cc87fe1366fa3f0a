// The placement groups as the metadata server knows them: which are clean, what was reported of
// them or is in doubt, and what repair answered. What counts as news or as an answer is on disk.
import type { MapHistory } from "../../domain/cluster-map.ts";
import type { Epoch, NodeId } from "../../domain/ids.ts";
import type { DamageReport } from "../../protocol/meta/meta-service.ts";
import type { Engine } from "../engine/engine.ts";
import { putConcerns, putGroupClean } from "./cluster-records.ts";
import { keyOfGroup, type GroupConcerns, type GroupKey, type GroupLedger } from "./group-ledger.ts";
import { homesBehind, type PlacedBlock } from "./placed-before.ts";
import { groupsOf, survivableLosses } from "./tolerance.ts";

export interface GroupRegistryOptions {
  readonly engine: Engine;
  readonly ledger: GroupLedger;
  readonly maps: () => MapHistory;
  /** Of each map from there on one is kept that places alike. */
  readonly completeSince: () => Epoch;
  /** Groups have become clean, so that older maps may be needed no more. */
  readonly onCleaned: () => Promise<void>;
}

/** What was seen of a group, and what of its concerns that answers. */
export interface GroupLook {
  readonly group: GroupKey;
  readonly isClean: boolean;
  readonly answers: GroupConcerns;
}

export class GroupRegistry {
  readonly #options: GroupRegistryOptions;
  readonly #ledger: GroupLedger;
  readonly #newsListeners = new Set<() => void>();
  /** Survivable losses under these maps, until something changes. */
  #losses: { maps: MapHistory; count: number } | undefined;

  constructor(options: GroupRegistryOptions) {
    this.#options = options;
    this.#ledger = options.ledger;
  }

  /** Called after damage or a doubt that was not known came up, when it is on disk. */
  onNews(listener: () => void): () => void {
    this.#newsListeners.add(listener);
    return () => this.#newsListeners.delete(listener);
  }

  /**
   * Reports about shards that can't be, or of no known node, are ignored. Resolves when they are on
   * disk.
   */
  async reportDamage(reports: readonly DamageReport[]): Promise<void> {
    const touched = new Map<string, GroupKey>();
    for (const report of reports) {
      const { pool, pg } = report.shard;
      if (!this.#canBe(report) || !this.#ledger.addDamage(report)) continue;
      touched.set(keyOfGroup(report.shard), { pool, pg });
    }
    await this.#storeNews([...touched.values()]);
  }

  /**
   * The node may lack shards that it is believed to have: no group that it may hold any of is clean
   * before it has said that it has them; with `verify`, before it has read them. Resolves when that
   * is on disk.
   */
  async doubtNode(node: NodeId, verify: boolean): Promise<void> {
    const touched = [...groupsOf(this.#options.maps(), node)].filter((group) =>
      this.#ledger.doubt(group, node, verify),
    );
    await this.#storeNews(touched);
  }

  /**
   * To be called when the blocks stand, before anything relies on them. Where places have changed
   * since they were placed, a look at their groups may have been too early to see them: the groups
   * are doubted, and that is on disk when it resolves. Undefined where nothing is to be done.
   */
  doubtPlaced(blocks: readonly PlacedBlock[]): Promise<void> | undefined {
    const { maps, completeSince } = this.#options;
    const touched = new Map<string, GroupKey>();
    for (const block of blocks) {
      for (const { pool, pg, node } of homesBehind(maps(), completeSince(), block)) {
        const group = { pool, pg };
        if (this.#ledger.doubt(group, node, false)) touched.set(keyOfGroup(group), group);
      }
    }
    return touched.size === 0 ? undefined : this.#storeNews([...touched.values()]);
  }

  /** What comes up from now on has a higher number. */
  lastConcern(): number {
    return this.#ledger.lastConcern;
  }

  count(): number {
    return this.#options.maps().current.pools.reduce((sum, pool) => sum + pool.pgCount, 0);
  }

  /** Groups not known to be whole under the current map, or of which something is feared. */
  dirty(): GroupKey[] {
    return this.#ledger.dirtyGroups(this.#options.maps().current.epoch);
  }

  /** What must be answered before the group is clean, as it is now. */
  concernsOf(group: GroupKey): GroupConcerns {
    return this.#ledger.concernsOf(group);
  }

  /** Damage reports without an answer, and groups in which a node is in doubt. */
  waiting(): { reports: number; doubtedGroups: number } {
    return this.#ledger.waiting();
  }

  /**
   * What a look at groups under the map of `epoch` has found. A clean one had every shard at home,
   * and its holders answered for each; of the others only the answers count.
   */
  async recordLooks(looks: readonly GroupLook[], epoch: Epoch): Promise<void> {
    const { engine, onCleaned } = this.#options;
    const known = looks.filter(({ group }) => this.#ledger.has(group));
    const clean = known.filter(({ isClean }) => isClean);
    if (clean.length > 0) {
      await engine.transact((tx) => {
        for (const { group } of clean) putGroupClean(tx, group, epoch);
      });
    }
    for (const { group } of clean) this.#ledger.setClean(group, epoch);
    const answered = known.filter(
      ({ answers: { findings, doubts } }) => findings.length + doubts.length > 0,
    );
    for (const { group, answers } of answered) this.#ledger.answer(group, answers);
    if (answered.length > 0) await this.#storeConcerns(answered.map(({ group }) => group));
    this.#losses = undefined;
    if (clean.length > 0) await onCleaned();
  }

  /**
   * Node losses that surely cost no data, whichever nodes they are; -1: some is unreadable now.
   */
  survivableLosses(): number {
    const maps = this.#options.maps();
    if (this.#losses?.maps !== maps) {
      this.#losses = { maps, count: survivableLosses(maps, this.#ledger) };
    }
    return this.#losses.count;
  }

  #canBe({ shard, node }: DamageReport): boolean {
    const { pools, nodes } = this.#options.maps().current;
    const pool = pools.find(({ id }) => id === shard.pool);
    if (pool === undefined || shard.pg >= pool.pgCount || shard.slot >= pool.k + pool.m) {
      return false;
    }
    return nodes.some(({ id }) => id === node);
  }

  async #storeNews(groups: readonly GroupKey[]): Promise<void> {
    if (groups.length === 0) return;
    this.#losses = undefined;
    await this.#storeConcerns(groups);
    for (const listener of this.#newsListeners) listener();
  }

  /** Durable: a report that was taken stays until it is answered. */
  async #storeConcerns(groups: readonly GroupKey[]): Promise<void> {
    await this.#options.engine.transact(
      (tx) => {
        for (const group of groups) putConcerns(tx, group, this.#ledger.concernsOf(group));
      },
      { durable: true },
    );
  }
}
