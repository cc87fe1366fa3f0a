// Asks storage nodes which shards they have, for the commands that show where a file's bytes stand.
import type { MapNode } from "../domain/cluster-map.ts";
import type { NodeId } from "../domain/ids.ts";
import type { HeadMany } from "../files/file-layout.ts";
import { systemClock } from "../platform/clock.ts";
import { deadline } from "../platform/deadline.ts";
import { HttpShardService } from "../protocol/shard/shard-http-client.ts";

/** A node that hasn't answered by then counts as one that doesn't. */
const HEAD_TIMEOUT_MS = 1000;

/** One connection pool a node, until it is disposed of. */
export class ShardQueries implements AsyncDisposable {
  readonly #cluster: string;
  readonly #services = new Map<NodeId, HttpShardService>();

  constructor(cluster: string) {
    this.#cluster = cluster;
  }

  readonly headMany: HeadMany = async (node: MapNode, ids) => {
    const options = { clock: systemClock, cluster: this.#cluster, node: node.id };
    const service = this.#services.get(node.id) ?? new HttpShardService(node.url, options);
    this.#services.set(node.id, service);
    using limit = deadline(systemClock, HEAD_TIMEOUT_MS);
    return await service.headMany(ids, limit.signal);
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#services.values()].map((service) => service.close()));
  }
}
