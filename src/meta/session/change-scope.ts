// One change as it is carried out: by which clock, with which numbers, on what it met. All of that
// goes into its trace, by which it can be done again in the same way after a power cut.
import { FsError } from "../../domain/errno.ts";
import type { Timespec } from "../../domain/attributes.ts";
import type { Ino, SessionId } from "../../domain/ids.ts";
import type { ChangeTrace } from "../../protocol/meta/wire-trace.ts";
import type { NumberSource } from "../namespace/number-ranges.ts";
import type { Scope } from "../namespace/transactions.ts";

const NONE_MET: readonly Ino[] = [];

export class ChangeScope implements Scope, NumberSource {
  readonly session: SessionId;
  readonly isRedo: boolean;
  readonly now: Timespec;
  readonly #numbers: NumberSource;
  #met: Ino[] | undefined;
  #firstId = 0;

  constructor(session: SessionId, now: Timespec, numbers: NumberSource, isRedo: boolean) {
    this.session = session;
    this.isRedo = isRedo;
    this.now = now;
    this.#numbers = numbers;
  }

  get ids(): NumberSource {
    return this;
  }

  take(count: number): number {
    const first = this.#numbers.take(count);
    if (this.#firstId === 0) this.#firstId = first;
    return first;
  }

  met(ino: Ino): void {
    if (this.#met === undefined) this.#met = [ino];
    else this.#met.push(ino);
  }

  get trace(): ChangeTrace {
    return { firstId: this.#firstId, time: this.now, met: this.#met ?? NONE_MET };
  }
}

/** The numbers that a change took when it was done first. */
export class GivenNumbers implements NumberSource {
  readonly #requireFree: (id: number) => void;
  #next: number;

  /** @param requireFree throws where the number is in use, or may be given to somebody else */
  constructor(first: number, requireFree: (id: number) => void) {
    this.#next = first;
    this.#requireFree = requireFree;
  }

  /** @throws FsError ESTALE */
  take(count: number): number {
    const first = this.#next;
    // What took none before finds another state.
    if (first === 0) throw changedMeanwhile();
    this.#next += count;
    for (let id = first; id < this.#next; id += 1) this.#requireFree(id);
    return first;
  }
}

/** @throws FsError ESTALE when it did something else, or to others, than it did before */
export function requireSame(before: ChangeTrace, now: ChangeTrace): void {
  const same =
    before.firstId === now.firstId &&
    before.met.length === now.met.length &&
    before.met.every((ino, at) => ino === now.met[at]);
  if (!same) throw changedMeanwhile();
}

export function changedMeanwhile(): FsError {
  return new FsError("ESTALE", "others have changed what it was about");
}
