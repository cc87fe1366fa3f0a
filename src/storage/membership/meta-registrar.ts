// A storage node's link to its metadata server: registers, sends heartbeats, reports damage, and
// goes on trying for ever while the server is away.
import { FsError, isFsError } from "../../domain/errno.ts";
import { formatShardId, type NodeId, type ShardId } from "../../domain/ids.ts";
import { HEARTBEAT_INTERVAL_MS, MAX_DAMAGE_REPORTS } from "../../domain/limits.ts";
import {
  LEAVING_TIMEOUT_MS,
  REGISTER_BACKOFF_MAX_MS,
  REGISTER_TIMEOUT_MS,
  TAKEN_NAME_PATIENCE_MS,
} from "./limits.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import { deadline } from "../../platform/deadline.ts";
import { deferred } from "../../platform/flow/deferred.ts";
import {
  problemSchema,
  registerReplySchema,
  type Heartbeat,
  type NodeDamage,
  type NodeSender,
  type RegisterNode,
} from "../../protocol/admin/admin-api.ts";
import type { NodeStats } from "../../protocol/shard/shard-service.ts";
import type { PostReply, PostToMeta } from "./meta-posts.ts";

export interface RegistrarOptions {
  post: PostToMeta;
  id: NodeId;
  /** Where clients reach the node. */
  url: string;
  /** Of this start of the node, and no other. */
  nonce: string;
  /** Number of this start, as the node's data counts them. */
  start: number;
  zone: string;
  weight: number;
  /** The cluster the node belongs to, once it is known. */
  clusterId: string | undefined;
  stats: () => Promise<NodeStats>;
  onRegistered: (clusterId: string) => Promise<void>;
  /** It turned out later that the node must not go on: EBUSY or EPERM, as of `start`. */
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
  /** With this or an earlier run of the server, in this start of the node. */
  #wasRegistered = false;
  #isStarting = true;
  /** Since when the server says that another process serves as this node, monotonic ms. */
  #takenSinceMs: number | undefined;
  #damage: DamageFound[] = [];

  constructor(options: RegistrarOptions) {
    this.#options = options;
    this.#clusterId = options.clusterId;
  }

  get #sender(): NodeSender {
    const { nonce, url } = this.#options;
    return { nonce, url };
  }

  get registered(): boolean {
    return this.#registered;
  }

  /**
   * Begins, and resolves when the first attempt has succeeded or the server is away.
   * @throws FsError EPERM when the node belongs to another cluster, EBUSY when another process
   *   serves as this node
   */
  async start(): Promise<void> {
    this.#running = this.#run();
    await this.#firstAttempt.promise;
    this.#isStarting = false;
  }

  /** Ends, and tells the server, so that new writes skip this node at once. */
  async close(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
    if (!this.#registered) return;
    this.#registered = false;
    const { id, clock, post, log } = this.#options;
    using limit = deadline(clock, LEAVING_TIMEOUT_MS);
    try {
      await post(`/nodes/${id}/leaving`, this.#sender, limit.signal);
    } catch (error) {
      log.debug({ err: error }, "the metadata server could not be told");
    }
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
    while (!this.#stopping()) {
      let pauseMs = HEARTBEAT_INTERVAL_MS;
      try {
        if (this.#registered) await this.#heartbeat();
        else await this.#register();
        failures = 0;
        this.#takenSinceMs = undefined;
        this.#firstAttempt.resolve();
      } catch (error) {
        if (this.#isFinal(error)) {
          this.#refused(error);
          return;
        }
        if (failures === 0 && !this.#stopping())
          log.warn({ err: error }, "not registered with the metadata server; retrying");
        failures++;
        if (this.#takenSinceMs === undefined) {
          this.#firstAttempt.resolve();
          pauseMs = backoffMs(failures);
        }
      }
      await clock.sleep(pauseMs, this.#stopped.signal).catch(() => undefined);
    }
    this.#firstAttempt.resolve();
  }

  /**
   * True when another try won't be answered otherwise. A node that has been let in isn't put out by
   * another cluster's server that answers where its own did.
   */
  #isFinal(error: unknown): error is FsError {
    if (isFsError(error, "EPERM")) return !this.#wasRegistered;
    if (!isFsError(error, "EBUSY")) {
      this.#takenSinceMs = undefined;
      return false;
    }
    if (this.#registered) return true;
    const nowMs = this.#options.clock.monotonicMs();
    this.#takenSinceMs ??= nowMs;
    return nowMs - this.#takenSinceMs >= TAKEN_NAME_PATIENCE_MS;
  }

  #refused(error: FsError): void {
    if (this.#isStarting) this.#firstAttempt.reject(error);
    else this.#options.onRefused(error);
  }

  #stopping(): boolean {
    return this.#stopped.signal.aborted;
  }

  async #register(): Promise<void> {
    const { id, url, nonce, start, zone, weight, stats, log } = this.#options;
    const { capacityBytes, usedBytes } = await stats();
    const clusterId = this.#clusterId;
    const known = clusterId === undefined ? {} : { clusterId };
    const who = { id, url, nonce, start, ...known };
    const node: RegisterNode = { ...who, zone, weight, capacityBytes, usedBytes };
    const reply = await this.#post("/nodes/register", node);
    if (reply.status === 409) throw refusal(reply.body);
    const joined = registerReplySchema.safeParse(reply.body);
    if (reply.status !== 200 || !joined.success) throw unexpected("registration", reply.status);
    const joinedId = joined.data.clusterId;
    if (clusterId === undefined) await this.#options.onRegistered(joinedId);
    else if (joinedId !== clusterId) throw new FsError("EPERM", `it is cluster ${joinedId}'s`);
    this.#clusterId = joinedId;
    this.#registered = true;
    this.#wasRegistered = true;
    log.info({ id, clusterId: this.#clusterId, url }, "registered with the metadata server");
  }

  async #heartbeat(): Promise<void> {
    const { id, stats } = this.#options;
    const beat: Heartbeat = { ...this.#sender, ...(await stats()) };
    const reply = await this.#post(`/nodes/${id}/heartbeat`, beat);
    if (reply.status === 404) {
      this.#registered = false;
      await this.#register();
      return;
    }
    if (reply.status === 409) throw refusal(reply.body);
    if (reply.status !== 200) throw unexpected("heartbeat", reply.status);
    await this.#sendDamage();
  }

  async #sendDamage(): Promise<void> {
    const reports = this.#damage;
    if (reports.length === 0) return;
    this.#damage = [];
    try {
      const path = `/nodes/${this.#options.id}/damage`;
      const damage: NodeDamage = { ...this.#sender, reports };
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

/** Tries after failures grow apart. */
function backoffMs(failures: number): number {
  const doubled = HEARTBEAT_INTERVAL_MS * 2 ** Math.max(0, failures - 1);
  return Math.min(doubled, REGISTER_BACKOFF_MAX_MS);
}

/** EBUSY: another process serves as this node; EPERM: it is another cluster's. */
function refusal(body: unknown): FsError {
  const problem = problemSchema.safeParse(body).data;
  const why = problem?.detail ?? "it gives no reason";
  const message = `the metadata server refuses this node: ${why}`;
  return new FsError(problem?.code === "EBUSY" ? "EBUSY" : "EPERM", message);
}
