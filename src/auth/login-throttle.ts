// Slows down guessing: after a few wrong passwords of a user from an address, more have to wait.
import { LOGIN_FREE_ATTEMPTS, LOGIN_MAX_WAIT_MS, MAX_LOGIN_TRACKED } from "./limits.ts";
import type { Clock } from "../platform/clock.ts";
import { BoundedMap } from "../platform/flow/bounded-map.ts";

const FIRST_WAIT_MS = 1000;

interface Record {
  failures: number;
  openAtMs: number;
}

export class LoginThrottle {
  readonly #clock: Clock;
  readonly #records = new BoundedMap<string, Record>(MAX_LOGIN_TRACKED);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds until this user may be tried from this address again; 0: now. */
  waitMs(user: string, address: string): number {
    const record = this.#records.get(keyOf(user, address));
    return record === undefined ? 0 : Math.max(0, record.openAtMs - this.#clock.monotonicMs());
  }

  /**
   * Counts an attempt before its outcome is known, so that many at once are no way round the wait.
   * A success takes it back with `succeeded`.
   */
  attempt(user: string, address: string): void {
    const key = keyOf(user, address);
    const failures = (this.#records.get(key)?.failures ?? 0) + 1;
    const excess = failures - LOGIN_FREE_ATTEMPTS;
    const waitMs = excess < 0 ? 0 : Math.min(FIRST_WAIT_MS * 2 ** excess, LOGIN_MAX_WAIT_MS);
    this.#records.set(key, { failures, openAtMs: this.#clock.monotonicMs() + waitMs });
  }

  succeeded(user: string, address: string): void {
    this.#records.delete(keyOf(user, address));
  }
}

function keyOf(user: string, address: string): string {
  return `${user.slice(0, 64)} ${address}`;
}
