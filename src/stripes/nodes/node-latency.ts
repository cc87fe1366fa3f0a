// How long a node's reads took of late: when a read counts as slow and deserves a spare.
import { MAX_SHARD_HEDGE_AFTER_MS, SHARD_HEDGE_AFTER_MS } from "./limits.ts";

const SAMPLES = 64;
/** Sorting 64 numbers once in so many samples costs nothing. */
const SAMPLES_A_REVIEW = 16;
const PERCENTILE = 0.95;
/** A read is slow when it takes twice what nineteen of twenty take. */
const SLOW_FACTOR = 2;

export class NodeLatency {
  readonly #samplesMs = new Float64Array(SAMPLES);
  #count = 0;
  #slowAfterMs = SHARD_HEDGE_AFTER_MS;

  /** Records a read that took, or was given up after, `ms`. */
  record(ms: number): void {
    this.#samplesMs[this.#count % SAMPLES] = ms;
    this.#count++;
    if (this.#count % SAMPLES_A_REVIEW === 0) this.#review();
  }

  /** Milliseconds after which a read of this node is slow, between the floor and the cap. */
  get slowAfterMs(): number {
    return this.#slowAfterMs;
  }

  #review(): void {
    const sorted = this.#samplesMs.slice(0, Math.min(this.#count, SAMPLES)).sort();
    const p95Ms = sorted[Math.floor(sorted.length * PERCENTILE)] ?? 0;
    this.#slowAfterMs = Math.min(
      Math.max(SHARD_HEDGE_AFTER_MS, p95Ms * SLOW_FACTOR),
      MAX_SHARD_HEDGE_AFTER_MS,
    );
  }
}
