// Storage nodes as tools see them that have no metadata server: by their addresses, all of one
// cluster.
import { PolicyCodecs } from "../codec/policy-codecs.ts";
import type { ClusterMap, MapNode } from "../domain/cluster-map.ts";
import { FsError } from "../domain/errno.ts";
import type { Epoch } from "../domain/ids.ts";
import { NodeCalls } from "../jobs/node-calls.ts";
import { silentLog } from "../observability/log.ts";
import { COPIES_POOL } from "../meta/cluster/cluster-records.ts";
import { systemClock } from "../platform/clock.ts";
import { deadline } from "../platform/deadline.ts";
import { askNodeName } from "../protocol/shard/ask-node-name.ts";
import { HttpShardService } from "../protocol/shard/shard-http-client.ts";
import { StripeBlockStore } from "../stripes/stripe-block-store.ts";

/** A node that hasn't said who it is by then counts as one that doesn't answer. */
const NAME_TIMEOUT_MS = 5000;

export class OfflineNodes implements AsyncDisposable {
  readonly clusterId: string;
  #nodes: MapNode[];
  readonly #services = new Map<string, HttpShardService>();
  /** What they are asked, each call with a deadline. */
  readonly calls = new NodeCalls((node) => this.#shardsOf(node), systemClock);
  /** Addresses where no node of this cluster answered, and why. */
  readonly missing: { readonly url: string; readonly why: string }[];

  private constructor(
    clusterId: string,
    nodes: MapNode[],
    missing: { readonly url: string; readonly why: string }[],
  ) {
    this.clusterId = clusterId;
    this.#nodes = nodes;
    this.missing = missing;
  }

  /**
   * Finds out who answers at `urls`.
   * @throws FsError ECONNREFUSED nobody does; EINVAL nodes of more than one cluster do
   */
  static async at(urls: readonly string[]): Promise<OfflineNodes> {
    const { found, missing } = await askAll(urls);
    const clusters = [...new Set(found.map(({ cluster }) => cluster))];
    const [clusterId] = clusters;
    if (clusterId === undefined) {
      const whys = missing.map(({ why }) => why).join("; ");
      throw new FsError("ECONNREFUSED", `no storage node answers: ${whys}`);
    }
    if (clusters.length > 1) {
      const who = found.map(({ url, cluster }) => `${url} is of ${cluster}`).join(", ");
      throw new FsError("EINVAL", `these nodes are of several clusters, name those of one: ${who}`);
    }
    // Two addresses may be one node's.
    const nodes = new Map(found.map(({ node }) => [node.id, node]));
    return new OfflineNodes(clusterId, [...nodes.values()], missing);
  }

  /** Those of `map` that answer, of the cluster that it is of. */
  static async of(clusterId: string, map: ClusterMap): Promise<OfflineNodes> {
    const nodes = new OfflineNodes(clusterId, [], []);
    await nodes.addFrom(map);
    return nodes;
  }

  get nodes(): readonly MapNode[] {
    return this.#nodes;
  }

  /** Adds those nodes of `map` that answer where it says and weren't known. */
  async addFrom(map: ClusterMap): Promise<void> {
    const known = new Set(this.#nodes.map(({ id }) => id));
    const others = map.nodes.filter(({ id }) => !known.has(id));
    const { found, missing } = await askAll(others.map(({ url }) => url));
    for (const { node, cluster, url } of found) {
      if (cluster === this.clusterId && !known.has(node.id)) this.#nodes.push(node);
      else if (cluster !== this.clusterId) {
        this.missing.push({ url, why: `at ${url} is a node of another cluster` });
      }
      known.add(node.id);
    }
    this.missing.push(...missing);
  }

  /** Reads the metadata's own copies, wherever their shards are. */
  openCopies(): StripeBlockStore {
    const nodes = this.#nodes;
    const current = { epoch: 1 as Epoch, nodes, pools: [COPIES_POOL] };
    const maps = { current, older: [] };
    return new StripeBlockStore({
      maps: () => maps,
      connect: (node) => this.#connect(node),
      cluster: this.clusterId,
      // There is nobody who repairs.
      reportDamage: () => undefined,
      coding: new PolicyCodecs(),
      clock: systemClock,
      log: silentLog,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#services.values()].map((service) => service.close()));
  }

  #shardsOf(node: MapNode): HttpShardService {
    const key = `${node.id} ${node.url}`;
    const known = this.#services.get(key);
    if (known !== undefined) return known;
    const service = this.#connect(node);
    this.#services.set(key, service);
    return service;
  }

  #connect({ id, url }: MapNode): HttpShardService {
    return new HttpShardService(url, { clock: systemClock, cluster: this.clusterId, node: id });
  }
}

interface Answers {
  found: { node: MapNode; cluster: string; url: string }[];
  missing: { url: string; why: string }[];
}

async function askAll(urls: readonly string[]): Promise<Answers> {
  const answers: Answers = { found: [], missing: [] };
  await Promise.all(
    urls.map(async (url) => {
      using limit = deadline(systemClock, NAME_TIMEOUT_MS);
      try {
        const { cluster, node: id } = await askNodeName(url, limit.signal);
        const node = { id, url, weight: 1, zone: "", state: "up" } as const;
        answers.found.push({ node, cluster, url });
      } catch (error) {
        answers.missing.push({ url, why: error instanceof Error ? error.message : String(error) });
      }
    }),
  );
  return answers;
}
