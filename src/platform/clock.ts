// Time as a dependency, so that tests and the simulation can own it.

export interface Clock {
  /** Wall clock, milliseconds since 1970. */
  nowMs(): number;
  /** Wall clock in nanoseconds since 1970. */
  nowNs(): bigint;
  /** Monotonic milliseconds, for measuring spans. */
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

/** Offset between the two clocks, taken once: Date.now() has only milliseconds. */
const wallOffsetNs = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  nowNs: () => wallOffsetNs + process.hrtime.bigint(),
  monotonicMs: () => performance.now(),
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
