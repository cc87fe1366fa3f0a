// What is known of each placement group: its last clean epoch, the damage reported since, and the
// nodes whose shards of it are in doubt.
import type { ClusterMap } from "../../domain/cluster-map.ts";
import type { Epoch, NodeId, PoolId } from "../../domain/ids.ts";
import { formatShardId } from "../../domain/ids.ts";
import { MAX_DAMAGE_PER_GROUP } from "./limits.ts";
import type { DamageReport } from "../../protocol/meta/meta-service.ts";

export interface GroupKey {
  readonly pool: PoolId;
  readonly pg: number;
}

/** A damage report that waits for its answer. */
export interface Finding {
  readonly report: DamageReport;
  /** Newer when it was reported again: an answer to an older number doesn't answer it. */
  readonly number: number;
}

/** A node may lack shards of the group that it is believed to have. */
export interface Doubt {
  readonly node: NodeId;
  /** Only reading every shard settles it; else the node's word that it has them. */
  readonly verify: boolean;
  readonly number: number;
}

/** What keeps a group from being clean, whatever its epoch. */
export interface GroupConcerns {
  readonly findings: readonly Finding[];
  readonly doubts: readonly Doubt[];
}

export const NO_CONCERNS: GroupConcerns = { findings: [], doubts: [] };

/** Those that came up by then. */
export function concernsUpTo({ findings, doubts }: GroupConcerns, number: number): GroupConcerns {
  const isOld = (concern: { readonly number: number }): boolean => concern.number <= number;
  return { findings: findings.filter(isOld), doubts: doubts.filter(isOld) };
}

interface Concerned extends GroupKey {
  readonly findings: Map<string, Finding>;
  readonly doubts: Map<NodeId, Doubt>;
}

export class GroupLedger {
  readonly #cleanEpochs = new Map<PoolId, Float64Array>();
  readonly #concerns = new Map<string, Concerned>();
  #number = 0;

  /** `baseline`: every group was clean at that epoch. */
  constructor(map: ClusterMap, baseline: Epoch) {
    for (const pool of map.pools) {
      this.#cleanEpochs.set(pool.id, new Float64Array(pool.pgCount).fill(baseline));
    }
  }

  /** Number of the newest finding or doubt there was. */
  get lastConcern(): number {
    return this.#number;
  }

  has({ pool, pg }: GroupKey): boolean {
    const epochs = this.#cleanEpochs.get(pool);
    return epochs !== undefined && pg < epochs.length;
  }

  cleanEpoch({ pool, pg }: GroupKey): Epoch {
    return (this.#cleanEpochs.get(pool)?.[pg] ?? 0) as Epoch;
  }

  setClean({ pool, pg }: GroupKey, epoch: Epoch): void {
    const epochs = this.#cleanEpochs.get(pool);
    if (epochs !== undefined && epoch > (epochs[pg] ?? Infinity)) epochs[pg] = epoch;
  }

  setAllClean(epoch: Epoch): void {
    for (const epochs of this.#cleanEpochs.values()) epochs.fill(epoch);
  }

  oldestCleanEpoch(): Epoch {
    let oldest = Infinity;
    for (const epochs of this.#cleanEpochs.values()) {
      for (const epoch of epochs) oldest = Math.min(oldest, epoch);
    }
    return oldest as Epoch;
  }

  /** Beyond the limit of a group the report becomes a doubt of its node. True when it is news. */
  addDamage(report: DamageReport): boolean {
    const group = this.#concerned(report.shard);
    const text = `${formatShardId(report.shard)} ${report.kind} ${report.node}`;
    const isNew = !group.findings.has(text);
    if (isNew && group.findings.size >= MAX_DAMAGE_PER_GROUP) {
      return this.doubt(group, report.node, true);
    }
    this.#number += 1;
    group.findings.set(text, { report, number: this.#number });
    return isNew;
  }

  /** True when it is news. */
  doubt(key: GroupKey, node: NodeId, verify: boolean): boolean {
    const { doubts } = this.#concerned(key);
    const known = doubts.get(node);
    this.#number += 1;
    doubts.set(node, { node, verify: verify || known?.verify === true, number: this.#number });
    return known === undefined || (verify && !known.verify);
  }

  /** Forgets what was answered, but for what was reported or doubted again since. */
  answer(key: GroupKey, { findings, doubts }: GroupConcerns): void {
    const group = this.#concerns.get(keyOfGroup(key));
    if (group === undefined) return;
    const numbers = new Set(findings.map(({ number }) => number));
    for (const [text, { number }] of group.findings) {
      if (numbers.has(number)) group.findings.delete(text);
    }
    for (const { node, number } of doubts) {
      if (group.doubts.get(node)?.number === number) group.doubts.delete(node);
    }
    if (group.findings.size + group.doubts.size === 0) this.#concerns.delete(keyOfGroup(key));
  }

  concernsOf(key: GroupKey): GroupConcerns {
    const group = this.#concerns.get(keyOfGroup(key));
    if (group === undefined) return NO_CONCERNS;
    return { findings: [...group.findings.values()], doubts: [...group.doubts.values()] };
  }

  /** Reports that wait, and groups in which a node is in doubt. */
  waiting(): { reports: number; doubtedGroups: number } {
    let reports = 0;
    let doubtedGroups = 0;
    for (const { findings, doubts } of this.#concerns.values()) {
      reports += findings.size;
      doubtedGroups += doubts.size > 0 ? 1 : 0;
    }
    return { reports, doubtedGroups };
  }

  /** Groups not known to be whole at `epoch`. */
  dirtyGroups(epoch: Epoch): GroupKey[] {
    const dirty: GroupKey[] = [];
    for (const [pool, epochs] of this.#cleanEpochs) {
      epochs.forEach((cleanEpoch, pg) => {
        if (cleanEpoch < epoch || this.#concerns.has(keyOfGroup({ pool, pg })))
          dirty.push({ pool, pg });
      });
    }
    return dirty;
  }

  #concerned({ pool, pg }: GroupKey): Concerned {
    const known = this.#concerns.get(keyOfGroup({ pool, pg }));
    if (known !== undefined) return known;
    const group: Concerned = { pool, pg, findings: new Map(), doubts: new Map() };
    this.#concerns.set(keyOfGroup({ pool, pg }), group);
    return group;
  }
}

export function keyOfGroup({ pool, pg }: GroupKey): string {
  return `${pool}/${pg}`;
}
