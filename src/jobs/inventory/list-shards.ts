// What one node says that it holds of a placement group, page by page.
import type { PoolId } from "../../domain/ids.ts";
import type { ShardInfo, ShardService } from "../../protocol/shard/shard-service.ts";

/** @throws FsError as ShardService.list */
export async function* listShards(
  shards: Pick<ShardService, "list">,
  pool: PoolId,
  pg: number,
  signal: AbortSignal,
): AsyncGenerator<ShardInfo> {
  let cursor: string | undefined;
  do {
    const page = await shards.list(pool, pg, cursor, signal);
    yield* page.shards;
    cursor = page.next;
  } while (cursor !== undefined);
}
