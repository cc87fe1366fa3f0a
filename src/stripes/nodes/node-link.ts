// One storage node as the block store sees it: its service, whether it answers, how fast, and every
// request under way. A node that falls silent has all its requests ended at once.
import type { MapNode } from "../../domain/cluster-map.ts";
import { FsError, isFsError } from "../../domain/errno.ts";
import {
  BREAKER_PROBE_TIMEOUT_MS,
  NODE_QUIET_PING_MS,
  NODE_WATCH_INTERVAL_MS,
  NODE_WATCH_LATE_MS,
} from "./limits.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import type { ShardService } from "../../protocol/shard/shard-service.ts";
import { NodeAvoidance } from "./node-avoidance.ts";
import { NodeBreaker, type BreakerState } from "./node-breaker.ts";
import { NodeLatency } from "./node-latency.ts";

export type ClosableShardService = ShardService & { close(): Promise<void> };
export type Connect = (node: MapNode) => ClosableShardService;

/** A request under way. */
export interface NodeCall<T> {
  /** Settles only when the service no longer touches the buffers it was given. */
  readonly done: Promise<T>;
  readonly startedMs: number;
  /** Ends it; `done` then rejects with `reason`. Afterwards the request does nothing. */
  cancel(reason: FsError): void;
}

interface Watched {
  readonly startedMs: number;
  readonly timeoutMs: number;
  readonly controller: AbortController;
}

export class NodeLink {
  readonly latency = new NodeLatency();
  readonly breaker: NodeBreaker;
  /** Reads that were slower than their spares count against it. */
  readonly reads: NodeAvoidance;
  /**
   * Puts refused for lack of space, or left behind by the rest of their stripe, count against it.
   */
  readonly writes: NodeAvoidance;
  readonly #connect: Connect;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #underWay = new Set<Watched>();
  #node: MapNode;
  #service: ClosableShardService | undefined;
  /** Probes have connections of their own: they must not queue behind what they ask about. */
  #prober: ClosableShardService | undefined;
  #lastAnswerMs = -Infinity;
  #cancelWatch: (() => void) | undefined;
  #closed = false;

  constructor(node: MapNode, connect: Connect, clock: Clock, log: Log) {
    this.#node = node;
    this.#connect = connect;
    this.#clock = clock;
    this.#log = log;
    this.reads = new NodeAvoidance(clock);
    this.writes = new NodeAvoidance(clock);
    this.breaker = new NodeBreaker({
      clock,
      probe: () => this.#probe(),
      silent: () => this.#fellSilent(),
      changed: (state) => this.#breakerChanged(state),
    });
  }

  get node(): MapNode {
    return this.#node;
  }

  /** The node as a newer map has it; its URL must be the same. */
  update(node: MapNode): void {
    const returned = node.state === "up" && this.#node.state !== "up";
    this.#node = node;
    if (returned && this.breaker.state === "open") void this.breaker.probeNow();
  }

  /** Reads may count on it. */
  get isReadable(): boolean {
    const { state } = this.#node;
    return (
      (state === "up" || state === "draining") &&
      this.breaker.state === "closed" &&
      !this.reads.isAvoided
    );
  }

  /** It may be reached at all, as far as is known. */
  get isReachable(): boolean {
    const { state } = this.#node;
    return (state === "up" || state === "draining") && this.breaker.state !== "open";
  }

  /** Writes may go to it. */
  get isWritable(): boolean {
    const { state } = this.#node;
    return state === "up" && this.breaker.state !== "open" && !this.writes.isAvoided;
  }

  /** A request begun at `startedMs` is slow: if nothing else came since, the node is probed. */
  wasSlow(startedMs: number): void {
    if (this.#lastAnswerMs <= startedMs) this.breaker.suspect();
  }

  /**
   * Begins a request. It fails with ETIMEDOUT after `timeoutMs`, or as soon as the node is found to
   * be silent; otherwise with what the service threw.
   */
  start<T>(
    timeoutMs: number,
    request: (service: ShardService, signal: AbortSignal) => Promise<T>,
  ): NodeCall<T> {
    const controller = new AbortController();
    const watched = { startedMs: this.#clock.monotonicMs(), timeoutMs, controller };
    this.#underWay.add(watched);
    if (this.#cancelWatch === undefined) this.#watchLater();
    const done = this.#settle(watched, request);
    return { done, startedMs: watched.startedMs, cancel: (reason) => controller.abort(reason) };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.breaker.end();
    this.#cancelWatch?.();
    this.#endAll(new FsError("ECONNREFUSED", `node ${this.#node.id} is no longer used`));
    await Promise.all([this.#service?.close(), this.#prober?.close()]);
  }

  async #settle<T>(
    watched: Watched,
    request: (service: ShardService, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { signal } = watched.controller;
    try {
      if (this.#closed) throw new FsError("ECONNREFUSED", `node ${this.#node.id} is not used`);
      this.#service ??= this.#connect(this.#node);
      const value = await request(this.#service, signal);
      this.#answered();
      return value;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      this.#judge(error);
      throw error;
    } finally {
      this.#underWay.delete(watched);
    }
  }

  #answered(): void {
    this.#lastAnswerMs = this.#clock.monotonicMs();
    this.breaker.answered();
  }

  /** What a failed request says about the node. */
  #judge(error: unknown): void {
    if (this.#closed) return;
    if (isFsError(error, "ECONNREFUSED", "ETIMEDOUT")) this.breaker.suspect();
    else if (isFsError(error) && error.code !== "EIO") this.#answered();
    if (isFsError(error, "ENOSPC")) this.writes.strike();
  }

  #watchLater(): void {
    const dueMs = this.#clock.monotonicMs() + NODE_WATCH_INTERVAL_MS;
    this.#cancelWatch = this.#clock.after(NODE_WATCH_INTERVAL_MS, () => {
      this.#cancelWatch = undefined;
      if (this.#underWay.size === 0) return;
      if (this.#clock.monotonicMs() - dueMs < NODE_WATCH_LATE_MS) this.#watch();
      this.#watchLater();
    });
  }

  #watch(): void {
    const nowMs = this.#clock.monotonicMs();
    const [oldest] = this.#underWay;
    if (oldest === undefined) return;
    const quietSinceMs = Math.max(this.#lastAnswerMs, oldest.startedMs);
    if (nowMs - quietSinceMs >= NODE_QUIET_PING_MS) void this.breaker.probeNow();
    for (const { startedMs, timeoutMs, controller } of this.#underWay) {
      if (nowMs - startedMs < timeoutMs) continue;
      controller.abort(new FsError("ETIMEDOUT", `node ${this.#node.id} took over ${timeoutMs} ms`));
    }
  }

  async #probe(): Promise<void> {
    this.#prober ??= this.#connect(this.#node);
    const controller = new AbortController();
    const giveUp = (): void => controller.abort(new FsError("ETIMEDOUT", "no sign of life"));
    const dueMs = this.#clock.monotonicMs() + BREAKER_PROBE_TIMEOUT_MS;
    let cancelTimer = this.#clock.after(BREAKER_PROBE_TIMEOUT_MS, () => {
      if (this.#clock.monotonicMs() - dueMs < NODE_WATCH_LATE_MS) giveUp();
      else cancelTimer = this.#clock.after(NODE_WATCH_LATE_MS, giveUp);
    });
    try {
      await this.#prober.stats(controller.signal);
      this.#lastAnswerMs = this.#clock.monotonicMs();
    } finally {
      cancelTimer();
    }
  }

  #breakerChanged(state: BreakerState): void {
    const { id, url } = this.#node;
    if (state === "open") {
      this.#log.warn({ node: id, url }, "storage node does not answer; left out until it does");
    } else if (state === "closed") {
      this.#log.info({ node: id, url }, "storage node answers");
    }
  }

  /** Nothing that is under way will be answered either. */
  #fellSilent(): void {
    const { id, url } = this.#node;
    this.#endAll(new FsError("ETIMEDOUT", `node ${id} at ${url} does not answer`));
  }

  #endAll(reason: FsError): void {
    for (const { controller } of this.#underWay) controller.abort(reason);
  }
}
