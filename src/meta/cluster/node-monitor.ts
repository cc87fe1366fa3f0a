// Listens to heartbeats, in memory only, and asks for map changes when nodes fall silent.
import type { MapNode } from "../../domain/cluster-map.ts";
import type { NodeId } from "../../domain/ids.ts";
import { HEARTBEAT_INTERVAL_MS } from "../../domain/limits.ts";
import type { Clock } from "../../platform/clock.ts";
import { ageNodes, type NodeTimings } from "./node-states.ts";

/** What a node last said of itself. */
export interface NodeActivity {
  readonly usedBytes: number;
  readonly capacityBytes: number;
  readonly shards: number;
  readonly quarantined: number;
  /** In its trash. */
  readonly parked: number;
  readonly parkedBytes: number;
  /** Absent when it was not heard of since the start. */
  readonly lastSeenMsAgo?: number;
}

type Said = Omit<NodeActivity, "lastSeenMsAgo">;

const NOTHING: Said = {
  usedBytes: 0,
  capacityBytes: 0,
  shards: 0,
  quarantined: 0,
  parked: 0,
  parkedBytes: 0,
};

interface Activity {
  said: Said;
  /** Since when its silence counts, on the monotonic clock. */
  silentSinceMs: number;
  heardAtMs: number | undefined;
}

export interface MonitorOptions {
  readonly clock: Clock;
  readonly timings: NodeTimings;
  readonly known: readonly { id: NodeId; usedBytes: number; capacityBytes: number }[];
  readonly edit: (edit: (nodes: readonly MapNode[]) => readonly MapNode[]) => void;
}

export class NodeMonitor {
  readonly #options: MonitorOptions;
  readonly #activities = new Map<NodeId, Activity>();
  readonly #checkIntervalMs: number;
  #startedAtMs: number;
  #checkedAtMs: number;
  #cancelCheck: () => void = () => undefined;

  constructor(options: MonitorOptions) {
    this.#options = options;
    const { clock, known, timings } = options;
    this.#startedAtMs = clock.monotonicMs();
    this.#checkedAtMs = this.#startedAtMs;
    // A quarter of the shortest span, so that tests and impatient operators get what they set.
    this.#checkIntervalMs = Math.min(HEARTBEAT_INTERVAL_MS / 2, timings.nodeDownAfterMs / 4);
    for (const node of known) {
      const { usedBytes, capacityBytes } = node;
      this.#set(node.id, { ...NOTHING, usedBytes, capacityBytes }, undefined);
    }
  }

  start(): void {
    this.#startedAtMs = this.#options.clock.monotonicMs();
    this.#checkedAtMs = this.#startedAtMs;
    for (const activity of this.#activities.values()) activity.silentSinceMs = this.#startedAtMs;
    this.#plan();
  }

  close(): void {
    this.#cancelCheck();
  }

  registered(id: NodeId, sizes: { usedBytes: number; capacityBytes: number }): void {
    const said = this.#activities.get(id)?.said ?? NOTHING;
    this.#set(id, { ...said, ...sizes }, this.#options.clock.monotonicMs());
  }

  heard(id: NodeId, said: Said): void {
    this.#set(id, said, this.#options.clock.monotonicMs());
  }

  /** Since when it wasn't heard of; from this server's start at the earliest. */
  silentMs(id: NodeId): number {
    const sinceMs = this.#activities.get(id)?.silentSinceMs ?? this.#startedAtMs;
    return this.#options.clock.monotonicMs() - sinceMs;
  }

  activity(id: NodeId): NodeActivity {
    const known = this.#activities.get(id);
    if (known?.heardAtMs === undefined) return known?.said ?? NOTHING;
    return { ...known.said, lastSeenMsAgo: this.#options.clock.monotonicMs() - known.heardAtMs };
  }

  #set(id: NodeId, said: Said, heardAtMs: number | undefined): void {
    const silentSinceMs = heardAtMs ?? this.#startedAtMs;
    this.#activities.set(id, { said, silentSinceMs, heardAtMs });
  }

  #plan(): void {
    this.#cancelCheck = this.#options.clock.after(this.#checkIntervalMs, () => this.#check());
  }

  #check(): void {
    const { clock, timings, edit } = this.#options;
    const nowMs = clock.monotonicMs();
    const lateMs = nowMs - this.#checkedAtMs - this.#checkIntervalMs;
    this.#checkedAtMs = nowMs;
    // This process was stopped or starved: it could not have heard anybody meanwhile.
    if (lateMs > this.#checkIntervalMs) {
      for (const activity of this.#activities.values()) activity.silentSinceMs += lateMs;
    }
    edit((nodes) => ageNodes(nodes, (id) => this.silentMs(id), timings));
    this.#plan();
  }
}
