// Which deaths are old enough: remembers how far their numbers had come at moments of the recent
// past. After a start the past is unknown, and every grace begins anew.

/** Moments remembered of one grace: it lasts an eighth longer at the most. */
const MARKS_A_GRACE = 8;

interface Mark {
  readonly atMs: number;
  readonly next: number;
}

export class DeathMarks {
  readonly #graceMs: number;
  /** Oldest first. */
  #marks: Mark[] = [];
  #due = 0;

  constructor(graceMs: number) {
    this.#graceMs = graceMs;
  }

  /** Deaths below this number happened at least the grace ago, as of the last `note`. */
  get due(): number {
    return this.#due;
  }

  /** `next`: the number of the next death, at `nowMs` of the monotonic clock. */
  note(nowMs: number, next: number): void {
    const last = this.#marks.at(-1);
    const isNews = last === undefined || last.next !== next;
    const spacingMs = this.#graceMs / MARKS_A_GRACE;
    if (isNews && (last === undefined || nowMs - last.atMs >= spacingMs)) {
      this.#marks.push({ atMs: nowMs, next });
    }
    const old = this.#marks.filter(({ atMs }) => nowMs - atMs >= this.#graceMs);
    this.#due = old.at(-1)?.next ?? this.#due;
    this.#marks = this.#marks.slice(Math.max(0, old.length - 1));
  }
}
