// The last resort of a read: asks every node that may answer which shards of a block it has.
import { LAST_RESORT_TIMEOUT_MS } from "./limits.ts";
import type { GroupPlaces } from "./group-places.ts";
import type { NodeLink } from "./nodes/node-link.ts";
import type { StoreContext } from "./store-context.ts";

export interface FoundShard {
  readonly slot: number;
  readonly link: NodeLink;
}

/** Where the block's shards of `slots` stand, by the nodes' own word. Nodes that fail have none. */
export async function searchShards(
  context: StoreContext,
  places: GroupPlaces,
  slots: readonly number[],
): Promise<FoundShard[]> {
  const found: FoundShard[] = [];
  const ids = slots.map((slot) => places.shardId(slot));
  const ask = async (link: NodeLink): Promise<void> => {
    const call = link.start(LAST_RESORT_TIMEOUT_MS, (service, signal) =>
      service.headMany(ids, signal),
    );
    try {
      const infos = await call.done;
      slots.forEach((slot, at) => {
        if (infos[at] !== undefined) found.push({ slot, link });
      });
    } catch (error) {
      context.log.debug({ err: error, node: link.node.id }, "node could not be searched");
    }
  };
  const reachable = context.links.all().filter((link) => link.isReachable);
  await Promise.all(reachable.map((link) => context.broadcasts.run(1, undefined, () => ask(link))));
  return found;
}
