// Leaves a node out for a while that answers but serves badly, for longer each time it does so
// again.
import { NODE_AVOID_MAX_MS, NODE_AVOID_MS } from "./limits.ts";
import type { Clock } from "../../platform/clock.ts";

export class NodeAvoidance {
  readonly #clock: Clock;
  #untilMs = -Infinity;
  #nextMs = NODE_AVOID_MS;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get isAvoided(): boolean {
    return this.#clock.monotonicMs() < this.#untilMs;
  }

  /** It served badly. What is told while it is avoided was begun before, and counts once. */
  strike(): void {
    if (this.isAvoided) return;
    this.#untilMs = this.#clock.monotonicMs() + this.#nextMs;
    this.#nextMs = Math.min(2 * this.#nextMs, NODE_AVOID_MAX_MS);
  }

  /** It served well. */
  clear(): void {
    if (!this.isAvoided) this.#nextMs = NODE_AVOID_MS;
  }
}
