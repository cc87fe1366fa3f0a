// Answers every fuse-native operation exactly once: by its outcome, or by the deadline's errno.
import { ERRNO, FsError } from "../../domain/errno.ts";
import { passViolation } from "../../domain/invariant.ts";
import { FUSE_NATIVE_ANSWER_TIMEOUT_MS } from "./limits.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import type { MaybePromise } from "../../vfs/vfs.ts";

export interface Reply<T> {
  /** Buffers of the operation may still be touched in here, and nowhere later. */
  done(value: T): void;
  /** A negative errno. */
  failed(result: number): void;
  /** The answer was given already: what the kernel would have given back is given back for it. */
  late?(value: T): void;
}

export class Answers {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #deadlineMs: number;
  #running = 0;
  #whenIdle: (() => void) | undefined;

  constructor(clock: Clock, log: Log, deadlineMs: number = FUSE_NATIVE_ANSWER_TIMEOUT_MS) {
    this.#clock = clock;
    this.#log = log;
    this.#deadlineMs = deadlineMs;
  }

  /** Resolves when no operation waits for its answer. */
  idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  run<T>(name: string, work: () => MaybePromise<T>, reply: Reply<T>): void {
    let answered = false;
    this.#running++;
    const answer = (give: () => void): void => {
      if (answered) return;
      answered = true;
      cancel();
      try {
        give();
      } catch (error) {
        // The package throws before it answers, never after: whoever waits would wait for ever.
        reply.failed(-this.#errnoOf(name, error));
      }
      this.#running--;
      if (this.#running === 0) this.#whenIdle?.();
    };
    const cancel = this.#clock.after(this.#deadlineMs, () => {
      this.#log.warn({ operation: name }, "fuse-native operation was given up");
      answer(() => reply.failed(-ERRNO.ETIMEDOUT));
    });
    const succeed = (value: T): void => {
      if (answered) reply.late?.(value);
      else answer(() => reply.done(value));
    };
    const fail = (error: unknown): void => {
      answer(() => reply.failed(-this.#errnoOf(name, error)));
    };
    try {
      const result = work();
      if (result instanceof Promise) void result.then(succeed, fail);
      else succeed(result);
    } catch (error) {
      fail(error);
    }
  }

  #errnoOf(name: string, error: unknown): number {
    if (error instanceof FsError) return error.errno;
    passViolation(error);
    this.#log.error({ err: error, operation: name }, "FUSE operation failed unexpectedly");
    return ERRNO.EIO;
  }
}
