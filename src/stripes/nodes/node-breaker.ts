// Circuit breaker of one storage node: remembers that it doesn't answer, so that a dead or hung
// node costs one pause and not one a request. Asks the node in the background when it may close.
import { BREAKER_PROBE_INTERVAL_MS } from "./limits.ts";
import type { Clock } from "../../platform/clock.ts";

/**
 * closed: the node answers. suspect: something went wrong and a probe is under way; reads ask
 * others first. open: it doesn't answer; it is left out, and probed every
 * BREAKER_PROBE_INTERVAL_MS.
 */
export type BreakerState = "closed" | "suspect" | "open";

export interface BreakerOptions {
  clock: Clock;
  /** Asks the node for a sign of life; rejects when none comes in time. */
  probe: () => Promise<unknown>;
  /** Called when a probe failed, the first time and each time after. */
  silent: () => void;
  /** Called at each change of state. */
  changed: (state: BreakerState) => void;
}

export class NodeBreaker {
  readonly #clock: Clock;
  readonly #probe: () => Promise<unknown>;
  readonly #silent: () => void;
  readonly #changed: (state: BreakerState) => void;
  #state: BreakerState = "closed";
  #probing: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;
  /** Counts signs of life, so that a probe lost among answers proves nothing. */
  #answers = 0;
  #ended = false;

  constructor(options: BreakerOptions) {
    this.#clock = options.clock;
    this.#probe = options.probe;
    this.#silent = options.silent;
    this.#changed = options.changed;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** The node answered something. */
  answered(): void {
    this.#answers++;
    if (this.#state !== "closed") this.#become("closed");
  }

  /** A request failed as if the node were gone, or is slow: probed at once to be sure. */
  suspect(): void {
    if (this.#state === "closed") this.#become("suspect");
    void this.probeNow();
  }

  /** Resolves when the state is known: closed or open. One probe at a time. */
  probeNow(): Promise<void> {
    if (this.#ended) return Promise.resolve();
    this.#probing ??= this.#runProbe().finally(() => {
      this.#probing = undefined;
    });
    return this.#probing;
  }

  /** No more probes. */
  end(): void {
    this.#ended = true;
    this.#cancelTimer?.();
  }

  async #runProbe(): Promise<void> {
    const answersBefore = this.#answers;
    try {
      await this.#probe();
      this.answered();
    } catch {
      if (this.#answers !== answersBefore) return;
      if (this.#state !== "open") this.#become("open");
      this.#silent();
      this.#probeLater();
    }
  }

  #become(state: BreakerState): void {
    this.#state = state;
    this.#cancelTimer?.();
    this.#changed(state);
  }

  #probeLater(): void {
    if (this.#ended) return;
    this.#cancelTimer?.();
    this.#cancelTimer = this.#clock.after(BREAKER_PROBE_INTERVAL_MS, () => {
      void this.probeNow();
    });
  }
}
