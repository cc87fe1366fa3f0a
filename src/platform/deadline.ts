// AbortSignal.timeout by a clock that is passed in.
import type { Clock } from "./clock.ts";

export interface Deadline extends Disposable {
  /** Aborts with a TimeoutError, as that of AbortSignal.timeout does, unless disposed of before. */
  readonly signal: AbortSignal;
}

/** Doesn't keep the process alive. */
export function deadline(clock: Pick<Clock, "after">, timeoutMs: number): Deadline {
  const controller = new AbortController();
  const cancel = clock.after(timeoutMs, () => {
    controller.abort(new DOMException(`not done within ${timeoutMs} ms`, "TimeoutError"));
  });
  return { signal: controller.signal, [Symbol.dispose]: cancel };
}
