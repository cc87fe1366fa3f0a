// How a failed write is told: like Linux's errseq_t, once to every handle that was open, then
// forgotten.
import { FsError, isFsError } from "../../domain/errno.ts";
import { passViolation } from "../../domain/invariant.ts";

/** `error` itself when it is expected, else EIO with it as the cause. */
export function asFsError(error: unknown, doing: string): FsError {
  passViolation(error);
  return isFsError(error) ? error : new FsError("EIO", `${doing} failed`, { cause: error });
}

/** The last write failure of a file and who has been told of it. */
export class FailureLatch {
  #sequence = 0;
  #error: FsError | undefined;
  #told = true;

  /** What a new handle remembers; a failure that nobody was told of yet is the new handle's too. */
  sample(): number {
    return this.#told ? this.#sequence : this.#sequence - 1;
  }

  set(error: FsError): void {
    this.#sequence += 1;
    this.#error = error;
    this.#told = false;
  }

  /** The error when there was one since `seen`; the caller remembers `sequence` from then on. */
  tell(seen: number): FsError | undefined {
    if (seen === this.#sequence) return undefined;
    this.#told = true;
    return this.#error;
  }

  get sequence(): number {
    return this.#sequence;
  }

  /** The failure that nobody was told of yet. */
  get untold(): FsError | undefined {
    return this.#told ? undefined : this.#error;
  }
}
