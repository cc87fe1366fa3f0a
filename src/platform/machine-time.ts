// What a machine's raw clocks say, put right: a wall clock in nanoseconds that follows every step,
// and a monotonic one that counts the time in which the machine slept.

/** Raw clocks of the machine. */
export interface TimeReadings {
  /** Wall clock, whole milliseconds since 1970. */
  wallMs(): number;
  /** Nanoseconds that never go back, finer than the others. */
  hrNs(): bigint;
  /** Milliseconds that never go back; they stand still while the machine sleeps. */
  awakeMs(): number;
  /** Milliseconds since the machine's start, its sleep included; costs a system call. */
  sinceBootMs(): number;
}

const NS_PER_MS = 1_000_000n;
/** A change of wall against monotonic time worth a look at the third clock: sleep, or a step. */
const NOTICEABLE_MS = 100;

export class MachineTime {
  readonly #readings: TimeReadings;
  /** Wall clock minus hrNs. */
  #wallOffsetNs: bigint;
  /** Wall clock minus awakeMs when it was last looked at. */
  #wallAheadMs: number;
  /** sinceBootMs minus awakeMs at the beginning. */
  readonly #bootAheadMs: number;
  #sleptMs = 0;

  constructor(readings: TimeReadings) {
    this.#readings = readings;
    this.#wallOffsetNs = BigInt(readings.wallMs()) * NS_PER_MS - readings.hrNs();
    const awakeMs = readings.awakeMs();
    this.#wallAheadMs = readings.wallMs() - awakeMs;
    this.#bootAheadMs = readings.sinceBootMs() - awakeMs;
  }

  /** Nanoseconds since 1970: the wall clock's millisecond, divided by the finer clock. */
  wallNs(): bigint {
    const hrNs = this.#readings.hrNs();
    const beginNs = BigInt(this.#readings.wallMs()) * NS_PER_MS;
    const estimateNs = this.#wallOffsetNs + hrNs;
    const lastNs = beginNs + NS_PER_MS - 1n;
    const nowNs = estimateNs < beginNs ? beginNs : estimateNs > lastNs ? lastNs : estimateNs;
    if (nowNs !== estimateNs) this.#wallOffsetNs = nowNs - hrNs;
    return nowNs;
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
