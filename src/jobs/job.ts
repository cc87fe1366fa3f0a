// What a background job is, and the loop that runs one: passes when woken or due, backing off on errors.
import type { Clock } from "../platform/clock.ts";
import type { Log } from "../observability/log.ts";
import { JOB_RETRY_MAX_MS, JOB_RETRY_MIN_MS } from "../domain/limits.ts";

export interface Job {
  readonly name: string;
  /** Time between passes that nobody asked for. */
  readonly intervalMs: number;
  /** One bounded piece of work. "more" asks for another pass at once, "later" for one after a pause. */
  pass(signal: AbortSignal): Promise<"done" | "more" | "later">;
}

export interface JobStatus {
  name: string;
  state: "idle" | "running" | "waiting" | "failed";
  passes: number;
  lastError?: string;
}

/** Runs one job until stopped. A pass never overlaps itself. */
export class JobLoop {
  readonly #job: Job;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stop = new AbortController();
  #wake: () => void = () => undefined;
  #woken = false;
  #retryMs = JOB_RETRY_MIN_MS;
  #running: Promise<void> | undefined;
  #status: JobStatus;

  constructor(job: Job, clock: Clock, log: Log) {
    this.#job = job;
    this.#clock = clock;
    this.#log = log;
    this.#status = { name: job.name, state: "idle", passes: 0 };
  }

  start(): void {
    this.#running ??= this.#loop();
  }

  /** Asks for a pass soon; many calls before it begins count as one. */
  wake(): void {
    this.#woken = true;
    this.#wake();
  }

  status(): JobStatus {
    return { ...this.#status };
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#wake();
    await this.#running;
  }

  async #loop(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const pauseMs = await this.#runOnce();
      if (pauseMs > 0) await this.#pause(pauseMs);
    }
  }

  async #runOnce(): Promise<number> {
    this.#woken = false;
    this.#status = { ...this.#status, state: "running", passes: this.#status.passes + 1 };
    try {
      const outcome = await this.#job.pass(this.#stop.signal);
      if (outcome !== "later") this.#retryMs = JOB_RETRY_MIN_MS;
      const { name, passes } = this.#status;
      this.#status = { name, passes, state: outcome === "later" ? "waiting" : "idle" };
      if (outcome === "more") return 0;
      return outcome === "done" ? this.#job.intervalMs : this.#nextRetryMs();
    } catch (error) {
      if (this.#stop.signal.aborted) return 0;
      this.#log.warn({ err: error, job: this.#job.name }, "background job failed, will try again");
      this.#status = { ...this.#status, state: "failed", lastError: String(error) };
      return this.#nextRetryMs();
    }
  }

  #nextRetryMs(): number {
    const pauseMs = this.#retryMs;
    this.#retryMs = Math.min(this.#retryMs * 2, JOB_RETRY_MAX_MS);
    return Math.min(pauseMs, this.#job.intervalMs);
  }

  async #pause(delayMs: number): Promise<void> {
    if (this.#woken || this.#stop.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(delayMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = () => undefined;
  }
}
