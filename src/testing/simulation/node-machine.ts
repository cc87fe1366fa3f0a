// The machine of a storage node: the real node over its disk and the network.
import { startNodeIn, type NodeFace, type RunningNode } from "../../app/node-parts.ts";
import type { PolicyCodecs } from "../../codec/policy-codecs.ts";
import { FsError } from "../../domain/errno.ts";
import type { NodeId } from "../../domain/ids.ts";
import type { Log } from "../../observability/log.ts";
import type { ShardAppOptions } from "../../storage/http/shard-server.ts";
import type { PostReply, PostToMeta } from "../../storage/membership/meta-posts.ts";
import type { ShardService } from "../../protocol/shard/shard-service.ts";
import type { RebuildTools } from "../../storage/shards/shard-rebuild.ts";
import { present } from "../present.ts";
import type { Machine, SimProcess } from "./machine.ts";
import { isMetaEndpoint } from "./metadata-machine.ts";
import type { Network } from "./network.ts";
import { OrderedCoding } from "./ordered-coding.ts";
import { SimShardService, type ShardEndpoint } from "./shard-messages.ts";
import { NODE_DIRECTORY } from "./stored-shards.ts";
import { watchedShards, type ShardWatch } from "./shard-watch.ts";

export interface NodeMachineOptions {
  readonly machine: Machine;
  readonly network: Network;
  readonly metaAddress: string;
  readonly codecs: PolicyCodecs;
  readonly watch: ShardWatch;
  readonly log: (process: SimProcess) => Log;
}

const FIRST_PORT = 7401;
/** All nodes stand behind one name, so that one can come to another's address. */
const HOST = "nodes.sim";

export class NodeMachine {
  readonly machine: Machine;
  /** Once it has served. */
  id: NodeId | undefined;
  #running: RunningNode | undefined;
  #port = FIRST_PORT;
  #store: ShardService | undefined;
  /** The port it is to have instead of that of its last start. */
  wantedPort: number | undefined;
  readonly #options: NodeMachineOptions;

  constructor(options: NodeMachineOptions) {
    this.#options = options;
    this.machine = options.machine;
  }

  /** Of the process that runs now, once it serves. */
  get running(): RunningNode | undefined {
    return this.machine.process === undefined ? undefined : this.#running;
  }

  /** Of that process, as no network stands before it. */
  get store(): ShardService | undefined {
    return this.running === undefined ? undefined : this.#store;
  }

  /** Where it serves, or did last. */
  get port(): number {
    return this.#port;
  }

  /** Resolves when it serves. Rejects when it can't; the process is dead then. */
  async start(): Promise<void> {
    const { network, metaAddress, codecs } = this.#options;
    const process = this.machine.start();
    const { clock, disk, random, openStore } = process;
    const log = this.#options.log(process);
    this.#running = undefined;
    try {
      this.#running = await startNodeIn(
        {
          clock,
          disk,
          random,
          openStore,
          log,
          lock: () => Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve() }),
          peers: (cluster) => peersOf(network, process, codecs, cluster),
          serve: (face, lastPort) => Promise.resolve(this.#serve(process, face, lastPort)),
          post: postsOver(network, process, metaAddress),
          failed: () => process.kill(),
        },
        { dataDir: NODE_DIRECTORY },
      );
      this.id = this.#running.id;
    } catch (error) {
      process.kill();
      throw error;
    }
  }

  /** As SIGTERM does it. */
  async stop(): Promise<void> {
    const { process } = this.machine;
    try {
      await this.#running?.close();
    } catch (error) {
      // Its disk fails it to the end: it exits with that.
      this.machine.timeline.note(`${this.machine.name} can't stop in order: ${String(error)}`);
    }
    process?.kill();
  }

  #serve(
    process: SimProcess,
    { store, name }: ShardAppOptions,
    lastPort: number | undefined,
  ): NodeFace {
    const { network, watch } = this.#options;
    let port = this.wantedPort ?? lastPort ?? FIRST_PORT;
    while (network.isTaken(addressOf(port))) port += 1;
    this.#port = port;
    const url = addressOf(port);
    const shards = watchedShards(store, watch);
    const endpoint: ShardEndpoint = { process, shards, nameOf: name, watch };
    this.#store = store;
    this.wantedPort = undefined;
    const stop = network.listen(url, endpoint);
    return {
      url,
      port,
      [Symbol.asyncDispose]: () => {
        stop();
        return Promise.resolve();
      },
    };
  }
}

function addressOf(port: number): string {
  return `http://${HOST}:${port}`;
}

function peersOf(
  network: Network,
  process: SimProcess,
  codecs: PolicyCodecs,
  clusterOf: () => string | undefined,
): RebuildTools & AsyncDisposable {
  const coding = new OrderedCoding(codecs, process);
  return {
    connect: ({ url, node }) =>
      new SimShardService(network, process, url, { cluster: present(clusterOf()), node }),
    reconstruct: (...work) => coding.reconstruct(...work),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function postsOver(network: Network, process: SimProcess, address: string): PostToMeta {
  return (path, body, signal): Promise<PostReply> => {
    // As on the wire.
    const text = JSON.stringify(body);
    return network.request({
      from: process,
      address,
      label: path,
      signals: [signal],
      serve: (endpoint) => {
        if (!isMetaEndpoint(endpoint)) throw new FsError("ECONNREFUSED", "no metadata server");
        return endpoint.posts(path, JSON.parse(text));
      },
    });
  };
}
