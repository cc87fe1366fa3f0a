// What a block that was placed under an older map means for its group: a look at the group may have
// passed before the block was put.
import type { MapHistory } from "../../domain/cluster-map.ts";
import type { Epoch, NodeId } from "../../domain/ids.ts";
import type { BlockRef } from "../../domain/layout.ts";
import { homeNodes, placementGroupOf, writeTargets } from "../../placement/placement.ts";
import type { GroupKey } from "./group-ledger.ts";

export interface PlacedBlock {
  readonly ref: BlockRef;
  /** Of the map by which it was placed, or of an older one. */
  readonly epoch: Epoch;
}

export interface DoubtedHome extends GroupKey {
  readonly node: NodeId;
}

/**
 * The present homes that may lack the block: all but those to which every map since has sent it.
 * @param completeSince of each map from there on one is kept that places alike
 */
export function* homesBehind(
  { current, older }: MapHistory,
  completeSince: Epoch,
  { ref, epoch }: PlacedBlock,
): Generator<DoubtedHome> {
  const pool = current.pools.find(({ id }) => id === ref.pool);
  if (pool === undefined || epoch >= current.epoch) return;
  const pg = placementGroupOf(pool, ref.slice, ref.index);
  const inForce = Math.max(0, ...older.map((map) => map.epoch).filter((at) => at <= epoch));
  const since = older.filter((map) => map.epoch >= inForce);
  const targets = since.map((map) => writeTargets(map, pool, pg));
  for (const [slot, home] of homeNodes(current, pool, pg).entries()) {
    if (home === undefined) continue;
    const isSure = epoch >= completeSince && targets.every((nodes) => nodes[slot]?.id === home.id);
    if (!isSure) yield { pool: ref.pool, pg, node: home.id };
  }
}
