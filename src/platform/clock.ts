// Time as a dependency, so that tests and the simulation can own it.
import { uptime } from "node:os";
import type { Timespec } from "../domain/attributes.ts";
import { MachineTime } from "./machine-time.ts";

export interface Clock {
  /** Wall clock, milliseconds since 1970. */
  nowMs(): number;
  /** Wall clock as times of files have it. */
  now(): Timespec;
  /** Monotonic milliseconds, for measuring spans; they go on while the machine sleeps. */
  monotonicMs(): number;
  /**
   * Calls back once after `delayMs`; the timer doesn't keep the process alive. Returns its cancel.
   */
  after(delayMs: number, callback: () => void): () => void;
  /** Calls back when what this turn of the event loop has brought is done. */
  soon(callback: () => void): void;
  /** Resolves after `delayMs`, or rejects with the signal's reason. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

const machineTime = new MachineTime({
  wallMs: () => Date.now(),
  awakeMs: () => performance.now(),
  sinceBootMs: () => uptime() * 1000,
});

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  now: () => machineTime.now(),
  monotonicMs: () => machineTime.monotonicMs(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
  soon(callback) {
    setImmediate(callback);
  },
  sleep(delayMs, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, delayMs);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  },
};

/** Resolves after a turn of the event loop: whoever works long lets others in. */
export function nextTurn(clock: Pick<Clock, "soon">): Promise<void> {
  return new Promise((resolve) => clock.soon(resolve));
}
