// What a storage node consists of, whatever world it stands in: identity, store, face, the link to
// the metadata server and the self-check, started in order and stopped in reverse.
import { formatShardId, type NodeId, type ShardId } from "../domain/ids.ts";
import type { Log } from "../observability/log.ts";
import type { Clock } from "../platform/clock.ts";
import type { Disk } from "../platform/disk/disk.ts";
import { Routine } from "../platform/flow/routine.ts";
import type { Random } from "../platform/random.ts";
import type { OpenStore } from "../platform/store/ordered-store.ts";
import type { ShardAppOptions } from "../storage/http/shard-server.ts";
import type { PostToMeta } from "../storage/membership/meta-posts.ts";
import { MetaRegistrar } from "../storage/membership/meta-registrar.ts";
import { NodeIdentity, type NodeSettings } from "../storage/membership/node-identity.ts";
import { SCRUB_BYTES_PER_SECOND } from "../storage/shards/limits.ts";
import { Scrubber } from "../storage/shards/scrubber.ts";
import { SelfFlush } from "../storage/shards/self-flush.ts";
import type { RebuildTools } from "../storage/shards/shard-rebuild.ts";
import { ShardStore } from "../storage/shards/shard-store.ts";
import { TrashCadence } from "../storage/shards/trash-cadence.ts";

/** Where a node can be reached. */
export interface NodeFace extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
}

/** What a node has of the world. */
export interface NodeWorld {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly random: Random;
  readonly openStore: OpenStore;
  /** Keeps others from the data directory. @throws FsError EBUSY */
  readonly lock: (directory: string) => Promise<AsyncDisposable>;
  /** The other nodes, as rebuilds ask them. */
  readonly peers: (cluster: () => string | undefined) => RebuildTools & AsyncDisposable;
  /** Begins to serve, at the port of the last start where nothing else is asked for. */
  readonly serve: (options: ShardAppOptions, lastPort: number | undefined) => Promise<NodeFace>;
  readonly post: PostToMeta;
  /** The process must end, as one that failed. */
  readonly failed: () => void;
  readonly log: Log;
}

export interface NodeOptions extends NodeSettings {
  /** Made when missing. */
  dataDir: string;
  /** Pace of the node's self-check; 0 switches it off. */
  scrubBytesPerSecond?: number;
}

export interface RunningNode {
  readonly id: NodeId;
  readonly url: string;
  /** Rejects when its disk has failed it: the process must end at once, closing nothing. */
  readonly failed: Promise<never>;
  close(): Promise<void>;
}

const DEFAULT_WEIGHT = 100;
const NONCE_BYTES = 16;

/** As startStorageNode, in a world that is given. */
export async function startNodeIn(world: NodeWorld, options: NodeOptions): Promise<RunningNode> {
  const parts = new Parts();
  try {
    return await assemble(world, options, parts);
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

async function assemble(
  world: NodeWorld,
  options: NodeOptions,
  parts: Parts,
): Promise<RunningNode> {
  const { dataDir, capacityBytes, zone, weight, trashKeepMs } = options;
  const { clock, disk, random, log } = world;
  await disk.makeDirectory(dataDir, 0o750);
  parts.add(await world.lock(dataDir));
  const identity = await NodeIdentity.open(dataDir, { disk, random });
  await identity.keepSettings({ capacityBytes, zone, weight, trashKeepMs });
  const peers = parts.add(world.peers(() => identity.clusterId));
  const link = new DamageRelay(log);
  const store = parts.add(await openStore(world, dataDir, identity, peers, link));
  const notReady = (): string | undefined =>
    link.registrar?.registered === true ? undefined : "not registered yet";
  const face = { store, clock, log, name: () => identity.name, notReady };
  const { url, port } = parts.add(await world.serve(face, identity.port));
  await identity.keepPort(port);
  const registrar = parts.add(
    new MetaRegistrar({
      post: world.post,
      id: identity.id,
      url,
      nonce: random.bytes(NONCE_BYTES).toString("hex"),
      start: store.start,
      zone: identity.settings.zone ?? "",
      weight: identity.settings.weight ?? DEFAULT_WEIGHT,
      clusterId: identity.clusterId,
      stats: () => store.stats(),
      onRegistered: (clusterId) => identity.keepClusterId(clusterId),
      onRefused: (error) => {
        log.fatal({ err: error }, "this node must not go on");
        world.failed();
        void parts.close();
      },
      clock,
      log,
    }),
  );
  link.registrar = registrar;
  await registrar.start();
  parts.add(new Routine(new SelfFlush({ store, clock, log }))).start();
  parts.add(new Routine(new TrashCadence({ store, clock, log }))).start();
  const bytesPerSecond = options.scrubBytesPerSecond ?? SCRUB_BYTES_PER_SECOND;
  const scrubber = new Scrubber({ store, clock, log, bytesPerSecond });
  if (bytesPerSecond > 0) parts.add(new Routine(scrubber)).start();
  const { failed } = store;
  failed.catch((error: unknown) => {
    log.fatal({ err: error }, "the node's index failed");
    world.failed();
  });
  return { id: identity.id, url, failed, close: () => parts.close() };
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
  { clock, disk, openStore: open }: NodeWorld,
  directory: string,
  identity: NodeIdentity,
  peers: RebuildTools,
  link: DamageRelay,
): Promise<ShardStore> {
  const { capacityBytes, trashKeepMs } = identity.settings;
  return ShardStore.open({
    directory,
    cluster: () => identity.clusterId,
    clock,
    disk,
    openStore: open,
    ...(capacityBytes === undefined ? {} : { capacityBytes }),
    ...(trashKeepMs === undefined ? {} : { trashKeepMs }),
    rebuild: peers,
    onDamage: link.damageFound,
  });
}
