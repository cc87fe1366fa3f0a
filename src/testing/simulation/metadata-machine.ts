// The machine of a metadata server: the real server over its disk and the network.
import { join } from "node:path";
import { MetadataParts, type MetadataTimings } from "../../app/metadata-parts.ts";
import { hashToken, mintToken } from "../../auth/token.ts";
import type { PolicyCodecs } from "../../codec/policy-codecs.ts";
import { FsError } from "../../domain/errno.ts";
import { EngineAccountStore } from "../../meta/accounts/account-store.ts";
import { LmdbEngine } from "../../meta/engine/lmdb-engine.ts";
import type { Log } from "../../observability/log.ts";
import { answerNode } from "../../rest/node-routes.ts";
import { problemOf } from "../../rest/problem.ts";
import type { PostReply } from "../../storage/membership/meta-posts.ts";
import { DeleteWatch, type DeleteWatchWorld } from "./delete-watch.ts";
import type { Machine, SimProcess } from "./machine.ts";
import type { Endpoint, Network } from "./network.ts";
import { OrderedCoding } from "./ordered-coding.ts";
import { SimShardService } from "./shard-messages.ts";
import type { RpcEndpoint } from "./sim-socket.ts";

/** A metadata server that takes what nodes post. */
export interface MetaEndpoint extends RpcEndpoint {
  readonly posts: (path: string, body: unknown) => Promise<PostReply>;
}

export interface MetadataMachineOptions {
  readonly machine: Machine;
  readonly network: Network;
  readonly address: string;
  readonly codecs: PolicyCodecs;
  readonly timings: MetadataTimings;
  readonly checkpointBytes: number;
  readonly log: (process: SimProcess) => Log;
  /** Where its jobs' deletions are judged. */
  readonly deletes?: Omit<DeleteWatchWorld, "engine"> | undefined;
}

const USER = "tester";

export class MetadataMachine {
  readonly machine: Machine;
  readonly address: string;
  /** Of the user that all clients are. */
  token = "";
  /** Starts that came to serve. */
  served = 0;
  readonly #options: MetadataMachineOptions;
  #parts: MetadataParts | undefined;

  constructor(options: MetadataMachineOptions) {
    this.#options = options;
    this.machine = options.machine;
    this.address = options.address;
  }

  /** Of the process that runs now and serves. */
  get parts(): MetadataParts | undefined {
    return this.machine.process === undefined ? undefined : this.#parts;
  }

  /** Resolves when it serves. Rejects when it can't; the process is dead then. */
  async start(): Promise<void> {
    const { machine, network, codecs, timings, checkpointBytes, address } = this.#options;
    const process = machine.start();
    const { clock, random, disk, openStore } = process;
    const log = this.#options.log(process);
    this.#parts = undefined;
    try {
      const engine = await LmdbEngine.open({
        directory: join("/meta"),
        clock,
        disk,
        openStore,
        random,
        log,
        checkpointBytes,
        onFailure: () => process.kill(),
      });
      const { deletes } = this.#options;
      const watch = deletes && (await DeleteWatch.begin({ ...deletes, engine }));
      const parts = await MetadataParts.open(
        engine,
        {
          clock,
          random,
          log,
          connect: ({ url, id: node }, cluster) => {
            const service = new SimShardService(network, process, url, { cluster, node });
            return watch?.watched(service, node) ?? service;
          },
          coding: new OrderedCoding(codecs, process),
        },
        { timings },
      );
      if (this.token === "") this.token = await firstToken(parts, process);
      const endpoint: MetaEndpoint = {
        process,
        rpc: parts.rpc,
        posts: (path, body) => answerPost(parts, path, body),
      };
      network.listen(address, endpoint);
      parts.start();
      this.#parts = parts;
      this.served += 1;
    } catch (error) {
      process.kill();
      throw error;
    }
  }

  /** As SIGTERM does it. */
  async stop(): Promise<void> {
    const parts = this.#parts;
    const { process } = this.machine;
    if (parts === undefined || process === undefined) return;
    try {
      await parts.endWork();
      await parts.close();
    } catch (error) {
      // As a node's stop.
      this.machine.timeline.note(`${this.machine.name} can't stop in order: ${String(error)}`);
    }
    process.kill();
  }
}

async function firstToken({ engine }: MetadataParts, process: SimProcess): Promise<string> {
  const store = new EngineAccountStore(engine);
  const { token, hash } = mintToken(process.random);
  const nowMs = process.clock.nowMs();
  const passwordHash = "none";
  await store.insertUser({ name: USER, role: "admin", passwordHash, createdMs: nowMs }, true);
  const record = { hash, user: USER, client: "sim", createdMs: nowMs, lastUsedMs: nowMs };
  await store.insertToken(record, passwordHash, 1);
  return hashToken(token) === hash ? token : "";
}

export function isMetaEndpoint(endpoint: Endpoint): endpoint is MetaEndpoint {
  return "posts" in endpoint;
}

/** What the routes of rest/node-routes.ts make of it. */
async function answerPost(
  { cluster }: MetadataParts,
  path: string,
  body: unknown,
): Promise<PostReply> {
  try {
    const answer = await answerNode(cluster, path, body);
    return answer === "done" ? { status: 204, body: {} } : { status: 200, body: answer };
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    const problem = problemOf(error);
    return { status: problem.status, body: problem };
  }
}
