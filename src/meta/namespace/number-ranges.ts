// The numbers that inodes, cookies and data of files get: from ranges that are on disk before a
// number of them is given. So none is given twice, whatever a power cut takes back.
import { invariant, passViolation } from "../../domain/invariant.ts";
import type { Engine } from "../engine/engine.ts";
import { takeNumbers } from "../schema/counters.ts";
import { NUMBERS_EXTENDED_BELOW, NUMBERS_PER_RANGE, NUMBERS_WAITED_BELOW } from "./limits.ts";

export interface NumberSource {
  /**
   * The first of `count` numbers that follow one another. Numbers of a transaction that fails are
   * passed over.
   */
  take(count: number): number;
}

export class NumberRanges implements NumberSource {
  /** Numbers below are those of earlier starts; this one gives none of them. */
  readonly reservedBelow: number;
  readonly #engine: Engine;
  #next: number;
  #end: number;
  #extending: Promise<void> | undefined;

  /** Passes over whatever an earlier start had reserved. */
  static async open(engine: Engine): Promise<NumberRanges> {
    return new NumberRanges(engine, await reserve(engine));
  }

  private constructor(engine: Engine, first: number) {
    this.#engine = engine;
    this.reservedBelow = first;
    this.#next = first;
    this.#end = first + NUMBERS_PER_RANGE;
  }

  take(count: number): number {
    const first = this.#next;
    this.#next += count;
    const left = this.#end - this.#next;
    invariant(left >= 0, "changes wait while few numbers are left", { first, count });
    // Where it fails the next one tries again.
    if (left < NUMBERS_EXTENDED_BELOW) this.#extend().catch(passViolation);
    return first;
  }

  /** To be waited for before a change, where it isn't undefined: the disk is far behind. */
  scarce(): Promise<void> | undefined {
    return this.#end - this.#next < NUMBERS_WAITED_BELOW ? this.#extend() : undefined;
  }

  #extend(): Promise<void> {
    this.#extending ??= reserve(this.#engine)
      .then((first) => {
        // Another range than the next one, when the counter was moved meanwhile.
        if (first !== this.#end) this.#next = first;
        this.#end = first + NUMBERS_PER_RANGE;
      })
      .finally(() => (this.#extending = undefined));
    return this.#extending;
  }
}

function reserve(engine: Engine): Promise<number> {
  return engine.transact((tx) => takeNumbers(tx, "ids", NUMBERS_PER_RANGE), { durable: true });
}
