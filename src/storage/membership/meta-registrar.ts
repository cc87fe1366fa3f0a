// A storage node's link to its metadata server: registers, sends heartbeats, reports damage, and
// goes on trying for ever while the server is away.
import { FsError, isFsError } from "../../domain/errno.ts";
import { formatShardId, type NodeId, type ShardId } from "../../domain/ids.ts";
import { HEARTBEAT_INTERVAL_MS, MAX_DAMAGE_REPORTS } from "../../domain/limits.ts";
import { REGISTER_BACKOFF_MAX_MS, REGISTER_TIMEOUT_MS } from "./limits.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import { deadline } from "../../platform/deadline.ts";
import { deferred } from "../../platform/flow/deferred.ts";
import {
  problemSchema,
  registerReplySchema,
  type Heartbeat,
  type NodeDamage,
  type RegisterNode,
} from "../../protocol/admin/admin-api.ts";
import type { NodeStats } from "../../protocol/shard/shard-service.ts";
import type { PostReply, PostToMeta } from "./meta-posts.ts";

export interface RegistrarOptions {
  post: PostToMeta;
  id: NodeId;
  /** Where clients reach the node. */
  url: string;
  zone: string;
  weight: number;
  /** The cluster the node belongs to, once it is known. */
  clusterId: string | undefined;
  stats: () => Promise<NodeStats>;
  onRegistered: (clusterId: string) => Promise<void>;
  /** A later registration found that the node belongs to another cluster: it must not go on. */
  onRefused: (error: FsError) => void;
  clock: Clock;
  log: Log;
}

type DamageFound = NodeDamage["reports"][number];

export class MetaRegistrar implements AsyncDisposable {
  readonly #options: RegistrarOptions;
  readonly #stopped = new AbortController();
  readonly #firstAttempt = deferred();
  #running: Promise<void> = Promise.resolve();
  #clusterId: string | undefined;
  #registered = false;
  #damage: DamageFound[] = [];

  constructor(options: RegistrarOptions) {
    this.#options = options;
    this.#clusterId = options.clusterId;
  }

  get registered(): boolean {
    return this.#registered;
  }

  /**
   * Begins, and resolves when the first attempt has succeeded or the server is away.
   * @throws FsError EPERM when the node belongs to another cluster
   */
  async start(): Promise<void> {
    this.#running = this.#run();
    await this.#firstAttempt.promise;
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Tells the server with the next heartbeat; best effort. */
  reportDamage(id: ShardId, kind: DamageFound["kind"]): void {
    if (this.#damage.length < MAX_DAMAGE_REPORTS)
      this.#damage.push({ shard: formatShardId(id), kind });
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options;
    let failures = 0;
    for (let first = true; !this.#stopping(); first = false) {
      try {
        if (this.#registered) await this.#heartbeat();
        else await this.#register();
        failures = 0;
      } catch (error) {
        if (isFsError(error, "EPERM")) {
          if (first) this.#firstAttempt.reject(error);
          else this.#options.onRefused(error);
          return;
        }
        if (failures === 0 && !this.#stopping())
          log.warn({ err: error }, "metadata server is away; retrying");
        failures++;
      }
      this.#firstAttempt.resolve();
      await clock.sleep(this.#pauseMs(failures), this.#stopped.signal).catch(() => undefined);
    }
  }

  #stopping(): boolean {
    return this.#stopped.signal.aborted;
  }

  /** Heartbeats come at their cadence; tries after failures grow apart. */
  #pauseMs(failures: number): number {
    const doubled = HEARTBEAT_INTERVAL_MS * 2 ** Math.max(0, failures - 1);
    return Math.min(doubled, REGISTER_BACKOFF_MAX_MS);
  }

  async #register(): Promise<void> {
    const { id, url, zone, weight, stats, log } = this.#options;
    const { capacityBytes, usedBytes } = await stats();
    const clusterId = this.#clusterId;
    const known = clusterId === undefined ? {} : { clusterId };
    const node: RegisterNode = { id, url, zone, weight, capacityBytes, usedBytes, ...known };
    const reply = await this.#post("/nodes/register", node);
    if (reply.status === 409) {
      const why = problemSchema.safeParse(reply.body).data?.detail;
      const message = why ?? "it belongs to another cluster; give it an empty data directory";
      throw new FsError("EPERM", `the metadata server refuses this node: ${message}`);
    }
    const joined = registerReplySchema.safeParse(reply.body);
    if (reply.status !== 200 || !joined.success) throw unexpected("registration", reply.status);
    if (joined.data.clusterId !== clusterId)
      await this.#options.onRegistered(joined.data.clusterId);
    this.#clusterId = joined.data.clusterId;
    this.#registered = true;
    log.info({ id, clusterId: this.#clusterId, url }, "registered with the metadata server");
  }

  async #heartbeat(): Promise<void> {
    const { id, stats } = this.#options;
    const { usedBytes, capacityBytes, shards, quarantined } = await stats();
    const beat: Heartbeat = { usedBytes, capacityBytes, shards, quarantined };
    const reply = await this.#post(`/nodes/${id}/heartbeat`, beat);
    if (reply.status === 404) {
      this.#registered = false;
      await this.#register();
      return;
    }
    if (reply.status !== 200) throw unexpected("heartbeat", reply.status);
    await this.#sendDamage();
  }

  async #sendDamage(): Promise<void> {
    const reports = this.#damage;
    if (reports.length === 0) return;
    this.#damage = [];
    try {
      const path = `/nodes/${this.#options.id}/damage`;
      const damage: NodeDamage = { reports };
      const { status } = await this.#post(path, damage);
      if (status >= 300) throw unexpected("damage report", status);
    } catch (error) {
      this.#damage = [...reports, ...this.#damage].slice(0, MAX_DAMAGE_REPORTS);
      throw error;
    }
  }

  async #post(path: string, body: unknown): Promise<PostReply> {
    using limit = deadline(this.#options.clock, REGISTER_TIMEOUT_MS);
    const signal = AbortSignal.any([limit.signal, this.#stopped.signal]);
    return await this.#options.post(path, body, signal);
  }
}

function unexpected(what: string, status: number): FsError {
  return new FsError("EIO", `the metadata server answered the ${what} with ${status}`);
}
