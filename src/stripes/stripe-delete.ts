// Deletes every shard of blocks that nothing references any more, wherever a live node may have it.
import type { ShardId } from "../domain/ids.ts";
import type { BlockRef } from "../domain/layout.ts";
import { FsError } from "../domain/errno.ts";
import { MAX_BATCH_SHARDS } from "../protocol/shard/limits.ts";
import { SHARD_REQUEST_TIMEOUT_MS } from "./limits.ts";
import { GroupPlaces } from "./group-places.ts";
import type { NodeLink } from "./nodes/node-link.ts";
import type { StoreContext } from "./store-context.ts";

/**
 * Asks all nodes that are up or draining, since writes and repair may have left shards on any.
 * Nodes that are down keep theirs until scrub finds them.
 * @throws FsError EIO when a node believed alive failed; doing it again is harmless
 */
export async function deleteStripes(
  context: StoreContext,
  refs: readonly BlockRef[],
  signal?: AbortSignal,
): Promise<void> {
  const maps = context.links.follow();
  const ids: ShardId[] = [];
  for (const ref of refs) {
    const places = new GroupPlaces(maps, ref);
    for (let slot = 0; slot < places.slotCount; slot++) ids.push(places.shardId(slot));
    context.whereabouts.forget(ref);
  }
  const failures: unknown[] = [];
  const deleteAt = async (link: NodeLink): Promise<void> => {
    if (!link.isReachable) await link.breaker.probeNow();
    if (!link.isReachable) throw new FsError("ECONNREFUSED", `${link.node.id} does not answer`);
    for (let at = 0; at < ids.length; at += MAX_BATCH_SHARDS) {
      signal?.throwIfAborted();
      const batch = ids.slice(at, at + MAX_BATCH_SHARDS);
      await link.start(SHARD_REQUEST_TIMEOUT_MS, (service, ended) =>
        service.deleteMany(batch, ended),
      ).done;
    }
  };
  const alive = context.links
    .all()
    .filter(({ node }) => node.state === "up" || node.state === "draining");
  await Promise.all(
    alive.map((link) =>
      context.broadcasts
        .run(1, signal, () => deleteAt(link))
        .catch((error: unknown) => failures.push(error)),
    ),
  );
  signal?.throwIfAborted();
  if (failures.length > 0) {
    throw new FsError("EIO", `${failures.length} nodes could not delete their shards`, {
      cause: failures[0],
    });
  }
}
