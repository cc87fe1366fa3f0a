// A clock that moves only when told, for tests of timers, leases and breakers.
import type { Timespec } from "../domain/attributes.ts";
import type { Clock } from "../platform/clock.ts";

interface Timer {
  dueMs: number;
  callback: () => void;
}

export class FakeClock implements Clock {
  #nowMs: number;
  /** How far its wall clock was stepped away from its monotonic one. */
  #steppedMs = 0;
  readonly #startMs: number;
  readonly #timers = new Set<Timer>();

  constructor(startMs = 1_700_000_000_000) {
    this.#nowMs = startMs;
    this.#startMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs + this.#steppedMs;
  }

  now(): Timespec {
    const nowMs = this.nowMs();
    const sec = Math.floor(nowMs / 1000);
    return { sec, nsec: Math.round((nowMs - sec * 1000) * 1e6) };
  }

  /** Somebody sets the wall clock: no timer comes sooner or later by it. */
  step(byMs: number): void {
    this.#steppedMs += byMs;
  }

  monotonicMs(): number {
    return this.#nowMs - this.#startMs;
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { dueMs: this.#nowMs + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  soon(callback: () => void): void {
    setImmediate(callback);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const onAbort = (): void => {
        cancel();
        reject(signal?.reason as Error);
      };
      const cancel = this.after(delayMs, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Moves time on, running due timers in order and letting promise callbacks run after each. */
  async advance(byMs: number): Promise<void> {
    const endMs = this.#nowMs + byMs;
    for (let next = this.#earliest(endMs); next !== undefined; next = this.#earliest(endMs)) {
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.callback();
      await new Promise(setImmediate);
    }
    this.#nowMs = endMs;
    await new Promise(setImmediate);
  }

  #earliest(endMs: number): Timer | undefined {
    let earliest: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs <= endMs && (earliest === undefined || timer.dueMs < earliest.dueMs)) {
        earliest = timer;
      }
    }
    return earliest;
  }
}
