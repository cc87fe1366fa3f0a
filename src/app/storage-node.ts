// The composition root of a storage node: identity, store, server, scrub and the link to the
// metadata server, started in order and stopped in reverse.
import type { RequestListener } from "node:http";
import { setFlagsFromString } from "node:v8";
import { PolicyCodecs } from "../codec/policy-codecs.ts";
import { isFsError } from "../domain/errno.ts";
import { formatShardId, type NodeId, type ShardId } from "../domain/ids.ts";
import type { CodingPolicy } from "../domain/layout.ts";
import { MAX_REBUILDS, SCRUB_BYTES_PER_SECOND } from "../storage/shards/limits.ts";
import type { Log } from "../observability/log.ts";
import { systemClock } from "../platform/clock.ts";
import { systemDisk } from "../platform/disk/system-disk.ts";
import { openLmdbStore } from "../platform/store/open-lmdb-store.ts";
import { systemRandom } from "../platform/random.ts";
import { HttpShardService } from "../protocol/shard/shard-http-client.ts";
import { DataLock } from "../storage/membership/data-lock.ts";
import { MetaRegistrar } from "../storage/membership/meta-registrar.ts";
import { NodeIdentity } from "../storage/membership/node-identity.ts";
import { NodeServer } from "../storage/http/node-server.ts";
import { Scrubber } from "../storage/shards/scrubber.ts";
import type { RebuildTools } from "../storage/shards/shard-rebuild.ts";
import { createShardApp } from "../storage/http/shard-server.ts";
import { ShardStore } from "../storage/shards/shard-store.ts";
import "./limit-relations.ts";

export interface StorageNodeOptions {
  /** Base URL of the metadata server. */
  metaUrl: string;
  /** Made when missing. */
  dataDir: string;
  /** Address to listen on and to be reached at; 127.0.0.1 unless said. */
  host?: string;
  /** 0 or absent: the port of the last start if it is free, else any. */
  port?: number;
  zone?: string;
  capacityBytes?: number;
  weight?: number;
  /** Pace of the node's self-check; 0 switches it off. */
  scrubBytesPerSecond?: number;
  log: Log;
}

export interface RunningNode {
  readonly id: NodeId;
  readonly url: string;
  close(): Promise<void>;
}

const DEFAULT_HOST = "127.0.0.1";
const DEFAULT_WEIGHT = 100;

/**
 * Starts the node; resolves when it serves and has registered, or found the metadata server away.
 * @throws FsError EBUSY the data directory or the port is in use; EPERM the node belongs to another
 *   cluster; EIO; EINVAL
 */
export async function startStorageNode(options: StorageNodeOptions): Promise<RunningNode> {
  suitCollector();
  const parts = new Parts();
  try {
    return await assemble(options, parts);
  } catch (error) {
    await parts.close();
    throw error;
  }
}

/** What has been started, to be stopped in reverse. */
class Parts {
  #started: AsyncDisposable[] = [];

  add<T extends AsyncDisposable>(part: T): T {
    this.#started.push(part);
    return part;
  }

  async close(): Promise<void> {
    const parts = this.#started.reverse();
    this.#started = [];
    for (const part of parts) await part[Symbol.asyncDispose]();
  }
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

async function assemble(options: StorageNodeOptions, parts: Parts): Promise<RunningNode> {
  const { dataDir, log, host = DEFAULT_HOST } = options;
  await systemDisk.makeDirectory(dataDir, 0o750);
  parts.add(await DataLock.acquire(dataDir));
  const identity = await NodeIdentity.open(dataDir, { disk: systemDisk, random: systemRandom });
  const { capacityBytes, zone, weight } = options;
  await identity.keepSettings({ capacityBytes, zone, weight });
  const peers = parts.add(new Peers());
  const link = new DamageRelay(log);
  const store = parts.add(await openStore(dataDir, identity, peers, link));
  const notReady = (): string | undefined =>
    link.registrar?.registered === true ? undefined : "not registered yet";
  const app = createShardApp({ store, log, notReady });
  const server = parts.add(await listen(app, host, options.port, identity));
  await identity.keepPort(server.port);
  const url = `http://${host.includes(":") ? `[${host}]` : host}:${server.port}`;
  const registrar = parts.add(
    new MetaRegistrar({
      metaUrl: options.metaUrl,
      id: identity.id,
      url,
      zone: identity.settings.zone ?? "",
      weight: identity.settings.weight ?? DEFAULT_WEIGHT,
      clusterId: identity.clusterId,
      stats: () => store.stats(),
      onRegistered: (clusterId) => identity.keepClusterId(clusterId),
      onRefused: (error) => {
        log.fatal({ err: error }, "this node must not go on");
        process.exitCode = 1;
        void parts.close();
      },
      clock: systemClock,
      log,
    }),
  );
  link.registrar = registrar;
  await registrar.start();
  const bytesPerSecond = options.scrubBytesPerSecond ?? SCRUB_BYTES_PER_SECOND;
  const scrubber = new Scrubber({ store, clock: systemClock, log, bytesPerSecond });
  if (bytesPerSecond > 0) parts.add(scrubber).start();
  return { id: identity.id, url, close: () => parts.close() };
}

/** The registrar once there is one: the store, which may find damage, is opened before it. */
class DamageRelay {
  registrar: MetaRegistrar | undefined;
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  readonly damageFound = (id: ShardId, kind: "corrupt" | "missing"): void => {
    this.#log.warn({ shard: formatShardId(id), kind }, "shard is damaged");
    this.registrar?.reportDamage(id, kind);
  };
}

function openStore(
  directory: string,
  identity: NodeIdentity,
  peers: Peers,
  link: DamageRelay,
): Promise<ShardStore> {
  const { capacityBytes } = identity.settings;
  return ShardStore.open({
    directory,
    clock: systemClock,
    disk: systemDisk,
    openStore: openLmdbStore,
    ...(capacityBytes === undefined ? {} : { capacityBytes }),
    rebuild: peers,
    onDamage: link.damageFound,
  });
}

/** The port asked for; else the one of the last start; else, or when that one is taken, any. */
async function listen(
  app: RequestListener,
  host: string,
  port: number | undefined,
  identity: NodeIdentity,
): Promise<NodeServer> {
  if (port !== undefined && port !== 0) return NodeServer.listen(app, host, port, systemClock);
  if (identity.port !== undefined) {
    try {
      return await NodeServer.listen(app, host, identity.port, systemClock);
    } catch (error) {
      if (!isFsError(error, "EBUSY")) throw error;
    }
  }
  return NodeServer.listen(app, host, 0, systemClock);
}

/** The other nodes, as rebuilds ask them: a connection pool is kept for each. */
class Peers implements RebuildTools, AsyncDisposable {
  readonly #services = new Map<string, HttpShardService>();
  readonly #codecs = new PolicyCodecs();

  connect(url: string): HttpShardService {
    const known = this.#services.get(url);
    if (known !== undefined) return known;
    const service = new HttpShardService(url, { clock: systemClock, connections: MAX_REBUILDS });
    this.#services.set(url, service);
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
