// What is to become of a shard, by its slice: what repair must know before it calls one garbage.
// Only records condemn; where there is none, nothing is known.
import type { SliceId } from "../../domain/ids.ts";
import { isBeingPut } from "../copies/copy-records.ts";
import type { ReadTransaction } from "../engine/engine.ts";
import { sliceExists } from "../namespace/slices.ts";
import { tombstoneOf } from "../namespace/tombstones.ts";
import { isEnded, SliceOwners } from "../schema/slice-ranges.ts";

/**
 * live: cited. dying: its death is recorded, but is not below `due`. dead: its death is, or it has
 * gone from every node before. pending: the session that it was issued to may still commit it, or
 * the copy of the metadata that it is of is being put.
 * orphan: that session has ended. unknown: no record explains it.
 */
export type SliceFate = "live" | "dying" | "dead" | "pending" | "orphan" | "unknown";

/** @param due deaths below this number are long enough ago */
export function fatesOfSlices(
  tx: ReadTransaction,
  ids: readonly SliceId[],
  due: number,
): SliceFate[] {
  const owners = new SliceOwners(tx);
  return ids.map((id) => {
    if (sliceExists(tx, id)) return "live";
    const tombstone = tombstoneOf(tx, id);
    if (tombstone !== undefined) return tombstone.death < due ? "dead" : "dying";
    const owner = owners.ownerOf(id);
    if (owner !== undefined) return owners.isOver(owner, id) ? "dead" : "pending";
    if (isBeingPut(tx, id)) return "pending";
    return isEnded(tx, id) ? "orphan" : "unknown";
  });
}
