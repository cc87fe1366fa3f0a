// What a block that was placed under an older map means for its group: a look at the group may have
// passed before the block was put.
import { poolOf, type MapHistory } from "../../domain/cluster-map.ts";
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

/** The present homes that may lack what was placed elsewhere. None where nothing has moved. */
export function* homesBehind(
  { current, older }: MapHistory,
  { ref, epoch }: PlacedBlock,
): Generator<DoubtedHome> {
  if (epoch >= current.epoch) return;
  const pool = poolOf(current, ref.pool);
  const pg = placementGroupOf(pool, ref.slice, ref.index);
  const then = older.toSorted((a, b) => b.epoch - a.epoch).find((map) => map.epoch <= epoch);
  const targets = then === undefined ? [] : writeTargets(then, pool, pg);
  for (const [slot, home] of homeNodes(current, pool, pg).entries()) {
    if (home === undefined || targets[slot]?.id === home.id) continue;
    yield { pool: ref.pool, pg, node: home.id };
  }
}
