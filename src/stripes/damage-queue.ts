// Damage met on the way, gathered for repair: each finding once, in batches, never blocking I/O.
import { formatShardId, type NodeId, type ShardId } from "../domain/ids.ts";
import {
  DAMAGE_BATCH_DELAY_MS,
  DAMAGE_REPEAT_AFTER_MS,
  MAX_DAMAGE_BATCH,
  MAX_DAMAGE_REMEMBERED,
} from "./limits.ts";
import type { Clock } from "../platform/clock.ts";
import type { DamageReport } from "../protocol/meta/meta-service.ts";
import { BoundedMap } from "../platform/flow/bounded-map.ts";

export class DamageQueue {
  readonly #clock: Clock;
  readonly #deliver: (reports: readonly DamageReport[]) => void;
  /** When each finding was last reported, monotonic ms. */
  readonly #reportedMs = new BoundedMap<string, number>(MAX_DAMAGE_REMEMBERED);
  #queued: DamageReport[] = [];
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, deliver: (reports: readonly DamageReport[]) => void) {
    this.#clock = clock;
    this.#deliver = deliver;
  }

  report(kind: DamageReport["kind"], shard: ShardId, node: NodeId): void {
    const key = `${kind} ${formatShardId(shard)} ${node}`;
    const nowMs = this.#clock.monotonicMs();
    const lastMs = this.#reportedMs.get(key);
    if (lastMs !== undefined && nowMs - lastMs < DAMAGE_REPEAT_AFTER_MS) return;
    this.#reportedMs.set(key, nowMs);
    this.#queued.push({ kind, shard, node });
    if (this.#queued.length >= MAX_DAMAGE_BATCH) this.flush();
    else this.#cancelTimer ??= this.#clock.after(DAMAGE_BATCH_DELAY_MS, () => this.flush());
  }

  /** Delivers what is queued. */
  flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#queued.length === 0) return;
    const reports = this.#queued;
    this.#queued = [];
    this.#deliver(reports);
  }
}
