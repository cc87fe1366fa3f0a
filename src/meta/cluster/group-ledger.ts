// What is known of each placement group: its last clean epoch, and the damage reported since.
import type { ClusterMap } from "../../domain/cluster-map.ts";
import type { Epoch, PoolId } from "../../domain/ids.ts";
import { formatShardId } from "../../domain/ids.ts";
import { MAX_DAMAGE_PER_GROUP } from "./limits.ts";
import type { DamageReport } from "../../protocol/meta/meta-service.ts";

export interface GroupKey {
  readonly pool: PoolId;
  readonly pg: number;
}

export interface DirtyGroup extends GroupKey {
  readonly cleanEpoch: Epoch;
  readonly damage: readonly DamageReport[];
}

interface Damage {
  readonly report: DamageReport;
  /** The count of all reports when it came. */
  readonly count: number;
}

interface GroupDamage extends GroupKey {
  readonly reports: Map<string, Damage>;
  /** Reports beyond the limit aren't kept, but the group stays dirty until after the last. */
  lastCount: number;
}

export class GroupLedger {
  readonly #cleanEpochs = new Map<PoolId, Float64Array>();
  readonly #damage = new Map<string, GroupDamage>();
  #damageCount = 0;

  /** `baseline`: every group was clean at that epoch. */
  constructor(map: ClusterMap, baseline: Epoch) {
    for (const pool of map.pools) {
      this.#cleanEpochs.set(pool.id, new Float64Array(pool.pgCount).fill(baseline));
    }
  }

  /** How many damage reports there have been; a pass over the groups begins by noting it. */
  get damageCount(): number {
    return this.#damageCount;
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

  /** True when the report says something new. */
  addDamage(report: DamageReport): boolean {
    const { pool, pg } = report.shard;
    const key = keyOf({ pool, pg });
    let group = this.#damage.get(key);
    if (group === undefined) {
      group = { pool, pg, reports: new Map(), lastCount: 0 };
      this.#damage.set(key, group);
    }
    this.#damageCount += 1;
    group.lastCount = this.#damageCount;
    const text = `${formatShardId(report.shard)} ${report.kind} ${report.node}`;
    const known = group.reports.has(text);
    if (known || group.reports.size < MAX_DAMAGE_PER_GROUP) {
      group.reports.set(text, { report, count: this.#damageCount });
    }
    return !known;
  }

  /** Forgets what was reported up to `damageCount`. */
  clearDamage(key: GroupKey, damageCount: number): void {
    const group = this.#damage.get(keyOf(key));
    if (group === undefined) return;
    for (const [text, damage] of group.reports) {
      if (damage.count <= damageCount) group.reports.delete(text);
    }
    if (group.lastCount <= damageCount) this.#damage.delete(keyOf(key));
  }

  isDamaged(key: GroupKey): boolean {
    return this.#damage.has(keyOf(key));
  }

  damageOf(key: GroupKey): readonly DamageReport[] {
    const group = this.#damage.get(keyOf(key));
    return group === undefined ? [] : [...group.reports.values()].map(({ report }) => report);
  }

  /** Groups not known to be whole at `epoch`. */
  dirtyGroups(epoch: Epoch): DirtyGroup[] {
    const dirty: DirtyGroup[] = [];
    for (const [pool, epochs] of this.#cleanEpochs) {
      epochs.forEach((cleanEpoch, pg) => {
        if (cleanEpoch >= epoch && !this.#damage.has(keyOf({ pool, pg }))) return;
        const damage = this.damageOf({ pool, pg });
        dirty.push({ pool, pg, cleanEpoch: cleanEpoch as Epoch, damage });
      });
    }
    return dirty;
  }
}

function keyOf({ pool, pg }: GroupKey): string {
  return `${pool}/${pg}`;
}
