// What a background job is, and the loop that runs one: passes when woken or due, backing off on
// errors.
import type { Clock } from "../platform/clock.ts";
import type { Log } from "../observability/log.ts";
import { passViolation } from "../domain/invariant.ts";
import { sharedAbort } from "../platform/flow/abort.ts";
import { JOB_REST_FACTOR, JOB_RETRY_MAX_MS, JOB_RETRY_MIN_MS } from "./limits.ts";

/**
 * "more" asks for another pass at once, "later" for one when things may have got better. It goes on
 * after a rest, or has nothing to do for so long.
 */
export type PassOutcome =
  "done" | "more" | "later" | { readonly againAfterMs: number } | { readonly idleForMs: number };

/** What a job has before it, and what it did since the server started, in units of its own. */
export interface JobCounts {
  readonly waiting: number;
  readonly done: number;
  readonly doneBytes?: number;
}

export interface Job {
  readonly name: string;
  /** Time between passes that nobody asked for. */
  readonly intervalMs: number;
  /** One bounded piece of work. */
  pass(signal: AbortSignal): Promise<PassOutcome>;
  counts?(): JobCounts;
}

export interface JobStatus extends Partial<JobCounts> {
  name: string;
  state: "idle" | "running" | "waiting" | "failed";
  passes: number;
  /** Passes that failed since the server started. */
  failures: number;
  /** Since the last pass ended; absent before the first. */
  lastRunMsAgo?: number;
  lastError?: string;
}

/** The next step after one that took so long: the more others have to do, the longer both take. */
export function paceAfter(tookMs: number): { readonly againAfterMs: number } {
  return { againAfterMs: Math.max(1, tookMs * JOB_REST_FACTOR) };
}

/** Runs one job until stopped. A pass never overlaps itself. */
export class JobLoop {
  readonly #job: Job;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #stop = sharedAbort();
  #wake: () => void = () => undefined;
  #woken = false;
  #retryMs = JOB_RETRY_MIN_MS;
  #running: Promise<void> | undefined;
  #status: JobStatus;
  #endedMs: number | undefined;

  constructor(job: Job, clock: Clock, log: Log) {
    this.#job = job;
    this.#clock = clock;
    this.#log = log;
    this.#status = { name: job.name, state: "idle", passes: 0, failures: 0 };
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
    const status = { ...this.#status, ...this.#job.counts?.() };
    if (this.#endedMs === undefined) return status;
    return { ...status, lastRunMsAgo: this.#clock.monotonicMs() - this.#endedMs };
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
      const { name, passes, failures } = this.#status;
      this.#status = { name, passes, failures, state: stateAfter(outcome) };
      if (outcome === "more") return 0;
      if (outcome === "later") return this.#nextRetryMs();
      if (outcome === "done") return this.#job.intervalMs;
      return "idleForMs" in outcome ? outcome.idleForMs : outcome.againAfterMs;
    } catch (error) {
      passViolation(error);
      if (this.#stop.signal.aborted) return 0;
      this.#log.warn({ err: error, job: this.#job.name }, "background job failed, will try again");
      const failures = this.#status.failures + 1;
      this.#status = { ...this.#status, state: "failed", failures, lastError: String(error) };
      return this.#nextRetryMs();
    } finally {
      this.#endedMs = this.#clock.monotonicMs();
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

function stateAfter(outcome: PassOutcome): JobStatus["state"] {
  if (outcome === "later") return "waiting";
  if (outcome === "done") return "idle";
  return outcome !== "more" && "idleForMs" in outcome ? "idle" : "running";
}
