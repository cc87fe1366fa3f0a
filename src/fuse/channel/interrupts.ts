// What becomes of a request whose caller is being killed. The kernel sends INTERRUPT for any signal
// and then waits for the answer all the same; a local file system would not fail with EINTR for a
// mere SIGALRM. So only a caller that is dying, and will not see the answer, is let go.
import { readFile } from "node:fs/promises";
import type { Clock } from "../../platform/clock.ts";

/** A killed process waits this long at most for an operation that hangs. */
const CHECK_INTERVAL_MS = 250;
const SIGKILL = 9;

export interface InterruptedRequest {
  /** Thread id of the caller. */
  readonly pid: number;
  /** It has been answered. */
  settled: boolean;
}

/**
 * Whether SIGKILL waits for the thread; any fatal signal becomes one. A thread that can't be looked
 * at (another pid namespace, hidepid) is taken for alive.
 */
export async function isDying(pid: number): Promise<boolean> {
  try {
    const status = await readFile(`/proc/${pid}/status`, "latin1");
    const pending = /^SigPnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0";
    return ((Number.parseInt(pending.slice(-4), 16) >> (SIGKILL - 1)) & 1) === 1;
  } catch {
    return false;
  }
}

/** Looks after interrupted requests until they are answered or their caller is found dying. */
export class InterruptWatch<Request extends InterruptedRequest> {
  readonly #clock: Clock;
  readonly #abandon: (request: Request) => void;
  readonly #isDying: (pid: number) => Promise<boolean>;
  readonly #watched = new Set<Request>();
  #checking = false;

  /** `abandon` is to answer the request for its caller. */
  constructor(
    clock: Clock,
    abandon: (request: Request) => void,
    dying: (pid: number) => Promise<boolean>,
  ) {
    this.#clock = clock;
    this.#abandon = abandon;
    this.#isDying = dying;
  }

  watch(request: Request): void {
    this.#watched.add(request);
    if (!this.#checking) void this.#check();
  }

  async #check(): Promise<void> {
    this.#checking = true;
    while (this.#watched.size > 0) {
      for (const request of this.#watched) {
        if (!request.settled && !(await this.#isDying(request.pid))) continue;
        this.#watched.delete(request);
        if (!request.settled) this.#abandon(request);
      }
      if (this.#watched.size > 0) await this.#clock.sleep(CHECK_INTERVAL_MS);
    }
    this.#checking = false;
  }
}
