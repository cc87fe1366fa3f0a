// The one rule of how long a mount, or its kernel, believes what it was told: a fixed time from
// when it was asked for. All that is believed asks here, so that another rule has one place.
import type { Clock } from "../../platform/clock.ts";
import { GenerationMap } from "../../platform/flow/generation-map.ts";

export class Validity {
  readonly #clock: Clock;
  readonly #validMs: number;

  constructor(clock: Clock, validMs: number) {
    this.#clock = clock;
    this.#validMs = validMs;
  }

  /** Monotonic. */
  get nowMs(): number {
    return this.#clock.monotonicMs();
  }

  /** When what was asked for at `askedMs` stops being believed, monotonic. */
  untilMs(askedMs: number): number {
    return askedMs + this.#validMs;
  }

  /** What was asked for at `askedMs` is still believed. */
  holds(askedMs: number): boolean {
    return this.nowMs < this.untilMs(askedMs);
  }

  /** A memory that keeps its entries for as long as they are believed, at most twice that. */
  generations<K, V>(maxYoung: number, onTurn?: () => void): GenerationMap<K, V> {
    return new GenerationMap(this.#clock, this.#validMs, maxYoung, onTurn);
  }
}
