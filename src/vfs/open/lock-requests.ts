// Asks the metadata server for locks. A request that must wait is answered at once and asked again
// when the server says that the lock is there, or may have forgotten about it.
import { FsError, isFsError } from "../../domain/errno.ts";
import type { LockReply, LockRequest, MetaSession } from "../../protocol/meta/meta-service.ts";

/** Who grants locks. */
export type LockServer = Pick<MetaSession, "setlk" | "cancelLock" | "on">;

export class LockRequests {
  readonly #meta: LockServer;
  readonly #wakers = new Map<number, () => void>();
  #lastWait = 0;

  constructor(meta: LockServer) {
    this.#meta = meta;
    meta.on("lockReady", (wait) => this.#wakers.get(wait)?.());
    const askAllAgain = (): void => {
      for (const wake of this.#wakers.values()) wake();
    };
    meta.on("resumed", askAllAgain);
    meta.on("sessionLost", askAllAgain);
  }

  /** @throws FsError EAGAIN, ENOLCK, ENOENT, ETIMEDOUT (it may have been done) */
  ask(request: Omit<LockRequest, "wait">): Promise<LockReply> {
    return this.#meta.setlk({ ...request, wait: 0 });
  }

  /**
   * Waits as long as it takes, also for a server that is away. `asking` is called each time before
   * the server is asked.
   * @throws FsError EDEADLK, ENOLCK, ENOENT; EINTR when `signal` ends the wait
   */
  async wait(
    request: Omit<LockRequest, "wait">,
    signal: AbortSignal,
    asking: () => void = () => undefined,
  ): Promise<LockReply> {
    this.#lastWait += 1;
    const numbered = { ...request, wait: this.#lastWait };
    const aborted = abortOf(signal);
    try {
      for (;;) {
        // Before asking: the lock may be there before the answer that it isn't.
        const woken = this.#nextWake(numbered.wait);
        asking();
        const reply = await this.#askPatiently(numbered, signal);
        if (reply?.granted === true) return reply;
        await Promise.race([woken, aborted]);
        if (signal.aborted && !(await this.#tooLateToCancel(numbered))) throw interrupted();
      }
    } finally {
      this.#wakers.delete(numbered.wait);
    }
  }

  /** Nothing when the server was away for too long. */
  async #askPatiently(request: LockRequest, signal: AbortSignal): Promise<LockReply | undefined> {
    for (;;) {
      try {
        return await this.#meta.setlk(request);
      } catch (error) {
        if (!isFsError(error, "ETIMEDOUT")) throw error;
        if (signal.aborted) return undefined;
      }
    }
  }

  async #tooLateToCancel(request: LockRequest): Promise<boolean> {
    try {
      return await this.#meta.cancelLock(request);
    } catch (error) {
      // A server that was away forgets all waits.
      if (isFsError(error, "ETIMEDOUT")) return false;
      throw error;
    }
  }

  #nextWake(wait: number): Promise<void> {
    return new Promise((resolve) => this.#wakers.set(wait, resolve));
  }
}

function abortOf(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function interrupted(): FsError {
  return new FsError("EINTR", "the wait for a lock was interrupted");
}
