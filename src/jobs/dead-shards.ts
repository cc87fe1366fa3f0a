// How shards of slices go whose death is on disk: at once where nothing can cite them any more, by
// way of the node's trash where the metadata may still have to go back to a copy that does.
import type { MapNode } from "../domain/cluster-map.ts";
import type { ShardId } from "../domain/ids.ts";
import type { NodeCalls } from "./node-calls.ts";
import type { CopiedSlices } from "./slice-ledger.ts";

/** @throws FsError as the node fails */
export async function removeDead(
  { ledger, calls }: { ledger: CopiedSlices; calls: Pick<NodeCalls, "deleteMany" | "park"> },
  node: MapNode,
  ids: readonly ShardId[],
  signal: AbortSignal,
): Promise<void> {
  const below = await ledger.copiesCiteBelow();
  await calls.deleteMany(
    node,
    ids.filter(({ slice }) => slice >= below),
    signal,
  );
  await calls.park(
    node,
    ids.filter(({ slice }) => slice < below),
    signal,
  );
}
