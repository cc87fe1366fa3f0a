// The composition root of a storage node: the machine's clock, disk and sockets for its parts.
import type { RequestListener } from "node:http";
import { setFlagsFromString } from "node:v8";
import { PolicyCodecs } from "../codec/policy-codecs.ts";
import { isFsError } from "../domain/errno.ts";
import { invariant } from "../domain/invariant.ts";
import type { CodingPolicy } from "../domain/layout.ts";
import { MAX_REBUILDS } from "../storage/shards/limits.ts";
import type { Log } from "../observability/log.ts";
import { systemClock } from "../platform/clock.ts";
import { systemDisk } from "../platform/disk/system-disk.ts";
import { openLmdbStore } from "../platform/store/open-lmdb-store.ts";
import { systemRandom } from "../platform/random.ts";
import { HttpShardService } from "../protocol/shard/shard-http-client.ts";
import type { ShardSource } from "../protocol/shard/shard-service.ts";
import { DataLock } from "../storage/membership/data-lock.ts";
import { postTo } from "../storage/membership/meta-posts.ts";
import { NodeServer } from "../storage/http/node-server.ts";
import type { RebuildTools } from "../storage/shards/shard-rebuild.ts";
import { createShardApp, type ShardAppOptions } from "../storage/http/shard-server.ts";
import { startNodeIn, type NodeFace, type NodeOptions, type RunningNode } from "./node-parts.ts";
import "./limit-relations.ts";

export type { RunningNode } from "./node-parts.ts";

export interface StorageNodeOptions extends NodeOptions {
  /** Base URL of the metadata server. */
  metaUrl: string;
  /** Address to listen on and to be reached at; 127.0.0.1 unless said. */
  host?: string;
  /** 0 or absent: the port of the last start if it is free, else any. */
  port?: number;
  log: Log;
}

const DEFAULT_HOST = "127.0.0.1";

/**
 * Starts the node; resolves when it serves and has registered, or found the metadata server away.
 * @throws FsError EBUSY the data directory or the port is in use; EPERM the node belongs to another
 *   cluster; EIO; EINVAL
 */
export function startStorageNode(options: StorageNodeOptions): Promise<RunningNode> {
  suitCollector();
  const { metaUrl, host = DEFAULT_HOST, port, log, ...node } = options;
  const world = {
    clock: systemClock,
    disk: systemDisk,
    random: systemRandom,
    openStore: openLmdbStore,
    lock: (directory: string) => DataLock.acquire(directory),
    peers: (cluster: () => string | undefined) => new Peers(cluster),
    serve: (app: ShardAppOptions, lastPort: number | undefined) => serve(app, host, port, lastPort),
    post: postTo(metaUrl),
    failed: () => {
      process.exitCode = 1;
    },
    log,
  };
  return startNodeIn(world, node);
}

/**
 * Suits V8's collector to a node, whose garbage is request heads and spent body chunks that die
 * young. The young generation keeps its first size, 1 MiB a half: growth bought no time and cost 40
 * of 180 MiB. It is collected on this thread alone: helpers wait for one another where nodes share
 * cores (single-threaded, a node took a fifth more shards a second on a busy machine, as many on an
 * idle one). The growth factor has no effect on the command line; other collector flags must not be
 * changed while V8 runs, these two are read anew at each collection.
 */
function suitCollector(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
  setFlagsFromString("--no-parallel-scavenge");
}

async function serve(
  options: ShardAppOptions,
  host: string,
  port: number | undefined,
  lastPort: number | undefined,
): Promise<NodeFace> {
  const server = await listen(createShardApp(options), host, port, lastPort);
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${server.port}`,
    port: server.port,
    [Symbol.asyncDispose]: () => server.close(),
  };
}

/** The port asked for; else the one of the last start; else, or when that one is taken, any. */
async function listen(
  app: RequestListener,
  host: string,
  port: number | undefined,
  lastPort: number | undefined,
): Promise<NodeServer> {
  if (port !== undefined && port !== 0) return NodeServer.listen(app, host, port, systemClock);
  if (lastPort !== undefined) {
    try {
      return await NodeServer.listen(app, host, lastPort, systemClock);
    } catch (error) {
      if (!isFsError(error, "EBUSY")) throw error;
    }
  }
  return NodeServer.listen(app, host, 0, systemClock);
}

/** The other nodes, as rebuilds ask them: a connection pool is kept for each. */
class Peers implements RebuildTools, AsyncDisposable {
  readonly #cluster: () => string | undefined;
  readonly #services = new Map<string, HttpShardService>();
  readonly #codecs = new PolicyCodecs();

  constructor(cluster: () => string | undefined) {
    this.#cluster = cluster;
  }

  connect({ url, node }: Pick<ShardSource, "url" | "node">): HttpShardService {
    const key = `${node} ${url}`;
    const known = this.#services.get(key);
    if (known !== undefined) return known;
    const cluster = this.#cluster();
    // Rebuilds are asked for by name.
    invariant(cluster !== undefined, "a node without a cluster has no peers");
    const options = { clock: systemClock, cluster, node, connections: MAX_REBUILDS };
    const service = new HttpShardService(url, options);
    this.#services.set(key, service);
    return service;
  }

  async reconstruct(
    policy: CodingPolicy,
    sources: (Uint8Array | undefined)[],
    targets: (Uint8Array | undefined)[],
  ): Promise<void> {
    await this.#codecs.reconstruct(policy, sources, targets);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#services.values()].map((service) => service.close()));
  }
}
