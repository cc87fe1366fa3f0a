// gc: deletes what nothing references. Unlinked inodes lose their extents; slices whose last
// reference went lose their shards, on each node in the order of deaths. Each node has its own
// progress, so that one that is away, or fails, delays nothing but its own.
import type { ClusterMap, MapNode } from "../domain/cluster-map.ts";
import { poolOf } from "../domain/cluster-map.ts";
import type { NodeId, ShardId } from "../domain/ids.ts";
import { passViolation } from "../domain/invariant.ts";
import { blockCount } from "../domain/layout.ts";
import type { Log } from "../observability/log.ts";
import { placementGroupOf } from "../placement/placement.ts";
import type { Clock } from "../platform/clock.ts";
import { removeDead } from "./dead-shards.ts";
import { confirmedEverywhere } from "./gc-progress.ts";
import type { Job, JobCounts } from "./job.ts";
import {
  GC_FORGET_PER_STEP,
  GC_INTERVAL_MS,
  GC_NODE_PATIENCE_MS,
  GC_REAP_PER_STEP,
  GC_SLICES_PER_STEP,
  JOB_RETRY_MAX_MS,
  JOB_RETRY_MIN_MS,
  MAX_TOMBSTONES_WAITING,
} from "./limits.ts";
import type { NodeCalls } from "./node-calls.ts";
import type { Tombstone, Tombstones } from "./slice-ledger.ts";

export interface GcOptions {
  ledger: Tombstones;
  cluster: {
    current(): ClusterMap;
    /** The node has registered with this run of the server: it is known to be ours. */
    isRegistered(node: NodeId): boolean;
  };
  calls: Pick<NodeCalls, "deleteMany" | "park">;
  clock: Clock;
  log: Log;
}

/** When a node that failed is asked again. */
interface Retry {
  readonly atMs: number;
  readonly pauseMs: number;
}

export class GcJob implements Job {
  readonly name = "gc";
  readonly intervalMs = GC_INTERVAL_MS;
  readonly #options: GcOptions;
  readonly #retries = new Map<NodeId, Retry>();
  #forgotten = 0;

  constructor(options: GcOptions) {
    this.#options = options;
  }

  /** In slices. */
  counts(): JobCounts {
    return { waiting: this.#options.ledger.waiting, done: this.#forgotten };
  }

  async pass(signal: AbortSignal): Promise<"done" | "more"> {
    const { ledger, cluster } = this.#options;
    const reaped = await ledger.reap(GC_REAP_PER_STEP);
    const map = cluster.current();
    const due = await ledger.due();
    const progress = new Map(await ledger.progress(map.nodes.map(({ id }) => id)));
    await Promise.all(
      map.nodes.map(async (node) => {
        const from = progress.get(node.id) ?? 0;
        if (from >= due || !this.#mayAsk(node)) return;
        progress.set(node.id, await this.#collect(node, map, from, due, signal));
      }),
    );
    const everywhere = confirmedEverywhere(map.nodes, progress, due, MAX_TOMBSTONES_WAITING);
    const forgotten = await ledger.forget(everywhere, GC_FORGET_PER_STEP);
    this.#forgotten += forgotten;
    const isBehind = map.nodes.some(
      (node) => (progress.get(node.id) ?? 0) < due && this.#mayAsk(node),
    );
    return reaped >= GC_REAP_PER_STEP || forgotten >= GC_FORGET_PER_STEP || isBehind
      ? "more"
      : "done";
  }

  #mayAsk({ id, state }: MapNode): boolean {
    const { cluster, clock } = this.#options;
    if (state !== "up" && state !== "draining") return false;
    return cluster.isRegistered(id) && clock.monotonicMs() >= (this.#retries.get(id)?.atMs ?? 0);
  }

  /** Deletes on one node until nothing is due, or for a while; resolves to its progress. */
  async #collect(
    node: MapNode,
    map: ClusterMap,
    from: number,
    due: number,
    signal: AbortSignal,
  ): Promise<number> {
    const { ledger, clock } = this.#options;
    const endMs = clock.monotonicMs() + GC_NODE_PATIENCE_MS;
    let progress = from;
    try {
      while (progress < due && clock.monotonicMs() < endMs) {
        const dead = await ledger.tombstones(progress, due, GC_SLICES_PER_STEP);
        const ids = dead.flatMap((tombstone) => shardsOf(map, tombstone));
        await removeDead(this.#options, node, ids, signal);
        const last = dead.at(-1);
        progress = last === undefined || dead.length < GC_SLICES_PER_STEP ? due : last.death + 1;
        await ledger.advance(node.id, progress);
      }
      this.#retries.delete(node.id);
    } catch (error) {
      passViolation(error);
      if (signal.aborted) throw error;
      this.#failed(node, error);
    }
    return progress;
  }

  #failed({ id }: MapNode, error: unknown): void {
    const { clock, log } = this.#options;
    const last = this.#retries.get(id)?.pauseMs;
    const pauseMs = last === undefined ? JOB_RETRY_MIN_MS : Math.min(last * 2, JOB_RETRY_MAX_MS);
    this.#retries.set(id, { atMs: clock.monotonicMs() + pauseMs, pauseMs });
    if (last === undefined)
      log.warn({ err: error, node: id }, "a node could not delete its shards");
  }
}

/** All that any node may hold of the slice. */
function shardsOf(map: ClusterMap, { slice, pool: id, storedBytes }: Tombstone): ShardId[] {
  const pool = poolOf(map, id);
  const slots = Array.from({ length: pool.k + pool.m }, (_, slot) => slot);
  return Array.from({ length: blockCount(storedBytes) }, (_, index) => index).flatMap((index) => {
    const pg = placementGroupOf(pool, slice, index);
    return slots.map((slot) => ({ pool: id, pg, slice, index, slot }));
  });
}
