// ShardService over the simulated network: each call a message there and one back.
import { FsError } from "../../domain/errno.ts";
import { passViolation } from "../../domain/invariant.ts";
import type { PoolId, ShardId } from "../../domain/ids.ts";
import {
  checkAddressee,
  checkAnswerer,
  formatNodeName,
  type NodeName,
} from "../../protocol/shard/node-name.ts";
import { abortError, connectionError } from "../../protocol/shard/shard-exchange.ts";
import { errorFromProblem, shardProblem } from "../../protocol/shard/shard-problem.ts";
import type {
  NodeStats,
  RebuildRequest,
  ShardInfo,
  ShardPage,
  ShardPayload,
  ShardService,
  ShardSlab,
  SecureDepth,
  ShardVerdict,
} from "../../protocol/shard/shard-service.ts";
import type { SimProcess } from "./machine.ts";
import type { Endpoint, Network } from "./network.ts";
import type { ShardWatch } from "./shard-watch.ts";

/** A node that serves. */
export interface ShardEndpoint extends Endpoint {
  readonly shards: ShardService;
  /** Undefined before the node has joined a cluster. */
  readonly nameOf: () => NodeName | undefined;
  readonly watch: Pick<ShardWatch, "served">;
}

export class SimShardService implements ShardService {
  readonly #network: Network;
  readonly #from: SimProcess;
  readonly #address: string;
  /** Who is meant. */
  readonly #name: NodeName;
  readonly #closed = new AbortController();

  constructor(network: Network, from: SimProcess, address: string, name: NodeName) {
    this.#name = name;
    this.#network = network;
    this.#from = from;
    this.#address = address;
  }

  close(): Promise<void> {
    this.#closed.abort(connectionError(new Error("the client was closed")));
    return Promise.resolve();
  }

  put(id: ShardId, { bytes, cellCrcs }: ShardPayload, signal?: AbortSignal): Promise<void> {
    const payload = { bytes: Uint8Array.from(bytes), cellCrcs: Uint32Array.from(cellCrcs) };
    return this.#ask("put", signal, (node) => node.put(id, payload));
  }

  async get(
    id: ShardId,
    offsetBytes: number,
    target: Uint8Array,
    signal?: AbortSignal,
  ): Promise<ShardSlab> {
    const { sizeBytes, bytes, cellCrcs } = await this.#ask("get", signal, (node) =>
      node.get(id, offsetBytes, new Uint8Array(target.length)),
    );
    target.set(bytes);
    return { sizeBytes, bytes: target.subarray(0, bytes.length), cellCrcs };
  }

  head(id: ShardId, signal?: AbortSignal): Promise<ShardInfo> {
    return this.#ask("head", signal, (node) => node.head(id));
  }

  headMany(ids: readonly ShardId[], signal?: AbortSignal): Promise<(ShardInfo | undefined)[]> {
    return this.#ask("headMany", signal, (node) => node.headMany(ids));
  }

  deleteMany(ids: readonly ShardId[], signal?: AbortSignal): Promise<void> {
    return this.#ask("deleteMany", signal, (node) => node.deleteMany(ids));
  }

  park(ids: readonly ShardId[], signal?: AbortSignal): Promise<void> {
    return this.#ask("park", signal, (node) => node.park(ids));
  }

  unpark(ids: readonly ShardId[], signal?: AbortSignal): Promise<boolean[]> {
    return this.#ask("unpark", signal, (node) => node.unpark(ids));
  }

  list(pool: PoolId, pg: number, cursor?: string, signal?: AbortSignal): Promise<ShardPage> {
    return this.#ask("list", signal, (node) => node.list(pool, pg, cursor));
  }

  groups(signal?: AbortSignal): Promise<[PoolId, number][]> {
    return this.#ask("groups", signal, (node) => node.groups());
  }

  secure(
    ids: readonly ShardId[],
    depth: SecureDepth,
    signal?: AbortSignal,
  ): Promise<ShardVerdict[]> {
    return this.#ask("secure", signal, (node) => node.secure(ids, depth));
  }

  rebuild(request: RebuildRequest, signal?: AbortSignal): Promise<ShardInfo> {
    return this.#ask("rebuild", signal, (node) => node.rebuild(request));
  }

  stats(signal?: AbortSignal): Promise<NodeStats> {
    return this.#ask("stats", signal, (node) => node.stats());
  }

  async #ask<T>(
    label: string,
    signal: AbortSignal | undefined,
    serve: (node: ShardService) => Promise<T>,
  ): Promise<T> {
    const closed = this.#closed.signal;
    try {
      return await this.#network.request({
        from: this.#from,
        address: this.#address,
        label,
        signals: [signal, closed],
        serve: (endpoint) => this.#served(endpoint, serve),
      });
    } catch (error) {
      if (signal?.aborted === true) throw abortError(signal);
      if (closed.aborted) throw abortError(closed);
      throw error;
    }
  }

  /** What the node does, and what is made of its answer. */
  async #served<T>(endpoint: Endpoint, serve: (node: ShardService) => Promise<T>): Promise<T> {
    const [address, name] = [this.#address, this.#name];
    if (!isShardEndpoint(endpoint)) throw connectionError(new Error(`${address} is no node`));
    const answerer = (): void => {
      const own = endpoint.nameOf();
      checkAnswerer(own && formatNodeName(own), name, address);
    };
    try {
      const value = await answer(endpoint, name, serve);
      answerer();
      return value;
    } catch (error) {
      answerer();
      throw error;
    }
  }
}

/** Errors become what they are after the way over HTTP. */
async function answer<T>(
  { shards, nameOf, watch }: ShardEndpoint,
  asked: NodeName,
  serve: (node: ShardService) => Promise<T>,
): Promise<T> {
  checkAddressee(formatNodeName(asked), nameOf());
  watch.served(asked, nameOf());
  try {
    return await serve(shards);
  } catch (error) {
    passViolation(error);
    const known = error instanceof FsError ? error : undefined;
    const problem = shardProblem(known ?? new FsError("EIO", "storage node failed"));
    throw errorFromProblem(problem.status, JSON.stringify(problem));
  }
}

function isShardEndpoint(endpoint: Endpoint): endpoint is ShardEndpoint {
  return "shards" in endpoint;
}
