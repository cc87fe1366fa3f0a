// What a machine's raw clocks say, put right: a fine wall clock that follows every step, and a
// monotonic one that counts the time in which the machine slept.
import type { Timespec } from "../domain/attributes.ts";

/** Raw clocks of the machine. */
export interface TimeReadings {
  /** Wall clock, whole milliseconds since 1970. */
  wallMs(): number;
  /** Milliseconds and parts of them; never goes back, stands still while the machine sleeps. */
  awakeMs(): number;
  /** Milliseconds since the machine's start, its sleep included; costs a system call. */
  sinceBootMs(): number;
}

const NS_PER_MS = 1_000_000;
/** Within a millisecond still, with room for the rounding of floating point. */
const LAST_PART_MS = 0.999;
/** A change of wall against monotonic time worth a look at the third clock: sleep, or a step. */
const NOTICEABLE_MS = 100;

export class MachineTime {
  readonly #readings: TimeReadings;
  /** Wall clock minus awakeMs, to parts of a millisecond. */
  #fineAheadMs: number;
  /** Wall clock minus awakeMs when it was last looked at. */
  #wallAheadMs: number;
  /** sinceBootMs minus awakeMs at the beginning. */
  readonly #bootAheadMs: number;
  #sleptMs = 0;

  constructor(readings: TimeReadings) {
    this.#readings = readings;
    const awakeMs = readings.awakeMs();
    this.#wallAheadMs = readings.wallMs() - awakeMs;
    this.#fineAheadMs = this.#wallAheadMs;
    this.#bootAheadMs = readings.sinceBootMs() - awakeMs;
  }

  /** The wall clock's millisecond, divided by the finer clock. */
  now(): Timespec {
    const wallMs = this.#readings.wallMs();
    const awakeMs = this.#readings.awakeMs();
    const partMs = this.#fineAheadMs + awakeMs - wallMs;
    const within = Math.min(Math.max(partMs, 0), LAST_PART_MS);
    if (within !== partMs) this.#fineAheadMs = wallMs + within - awakeMs;
    const sec = Math.floor(wallMs / 1000);
    return { sec, nsec: Math.floor((wallMs - sec * 1000 + within) * NS_PER_MS) };
  }

  /** Milliseconds that never go back and that go on while the machine sleeps. */
  monotonicMs(): number {
    const awakeMs = this.#readings.awakeMs();
    const wallAheadMs = this.#readings.wallMs() - awakeMs;
    if (Math.abs(wallAheadMs - this.#wallAheadMs) > NOTICEABLE_MS) {
      this.#wallAheadMs = wallAheadMs;
      const sleptMs = this.#readings.sinceBootMs() - awakeMs - this.#bootAheadMs;
      if (sleptMs - this.#sleptMs > NOTICEABLE_MS) this.#sleptMs = sleptMs;
    }
    return awakeMs + this.#sleptMs;
  }
}
