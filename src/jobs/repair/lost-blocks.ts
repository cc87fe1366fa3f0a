// Blocks that no listing shows, since no node has any shard of them: found from the metadata, which
// knows what should be there. Of each live block one home is asked for its shard.
import type { ClusterMap } from "../../domain/cluster-map.ts";
import { poolOf } from "../../domain/cluster-map.ts";
import type { NodeId, ShardId, SliceId } from "../../domain/ids.ts";
import { passViolation } from "../../domain/invariant.ts";
import { blockCount } from "../../domain/layout.ts";
import { keyOfGroup } from "../../meta/cluster/group-ledger.ts";
import { homeNodes, placementGroupOf } from "../../placement/placement.ts";
import type { DamageReport } from "../../protocol/meta/meta-service.ts";
import { WALK_STEP_RECORDS } from "../limits.ts";
import type { NodeCalls } from "../node-calls.ts";
import type { StripedSlice, SurveyLedger } from "../slice-ledger.ts";
import type { ClusterView, RepairGroups } from "./cluster-view.ts";

export interface LostBlocksOptions {
  ledger: SurveyLedger;
  calls: NodeCalls;
  groups: RepairGroups;
}

export class LostBlocks {
  readonly #options: LostBlocksOptions;

  constructor(options: LostBlocksOptions) {
    this.#options = options;
  }

  /**
   * Looks at live slices from `from` on, and reports what their homes lack in groups that count as
   * whole. Resolves to where to go on; undefined at the end.
   */
  async step(from: SliceId, view: ClusterView, signal: AbortSignal): Promise<SliceId | undefined> {
    const { ledger, calls, groups } = this.#options;
    const { found, next } = await ledger.stripedSlices(from, WALK_STEP_RECORDS);
    // What hasn't come home yet isn't lost, and repair has those groups before it anyway.
    const dirty = new Set(groups.dirty().map(keyOfGroup));
    const byHome = new Map<NodeId, ShardId[]>();
    for (const slice of found) {
      for (const { home, shard } of questionsOf(slice, view.map)) {
        if (dirty.has(keyOfGroup(shard))) continue;
        const shards = byHome.get(home);
        if (shards === undefined) byHome.set(home, [shard]);
        else shards.push(shard);
      }
    }
    const missing: DamageReport[] = [];
    await Promise.all(
      [...byHome].map(async ([home, shards]) => {
        const node = view.reachable.get(home);
        if (node === undefined) return;
        try {
          const infos = await calls.headMany(node, shards, signal);
          shards.forEach((shard, at) => {
            if (infos[at] === undefined) missing.push({ kind: "missing", shard, node: home });
          });
        } catch (error) {
          passViolation(error);
          // A node that doesn't answer has its groups looked at when it does.
          if (signal.aborted) throw error;
        }
      }),
    );
    await groups.reportDamage(missing);
    return next;
  }
}

/** For each block one of its homes, not the same for all, and the shard that it should have. */
function questionsOf(
  { slice, pool: id, storedBytes }: StripedSlice,
  map: ClusterMap,
): { home: NodeId; shard: ShardId }[] {
  const pool = poolOf(map, id);
  return Array.from({ length: blockCount(storedBytes) }, (_, index) => {
    const pg = placementGroupOf(pool, slice, index);
    const slot = (slice + index) % (pool.k + pool.m);
    const home = homeNodes(map, pool, pg)[slot]?.id;
    return home === undefined ? [] : [{ home, shard: { pool: id, pg, slice, index, slot } }];
  }).flat();
}
