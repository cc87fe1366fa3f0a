// What can't happen. A broken invariant ends the process: better down than wrong. What comes from
// outside (the wire, disks, the kernel, configuration) is checked at its edge and is an FsError.

/** What was wrong, for the log: numbers and names, never user data. */
export type InvariantDetails = Readonly<Record<string, unknown>>;

/** Thrown by `invariant` alone; nobody handles it. */
export class InvariantViolation extends Error {
  readonly details: InvariantDetails;

  constructor(message: string, details: InvariantDetails) {
    super(message);
    this.name = "InvariantViolation";
    this.details = details;
  }
}

/**
 * States what always holds here. If it doesn't, the caller gets an InvariantViolation, and the same
 * goes past every handler as an uncaught exception, before any other callback runs and behind only
 * the continuations that were due already.
 * @throws InvariantViolation
 */
export function invariant(
  condition: boolean,
  message: string,
  details?: InvariantDetails,
): asserts condition {
  if (condition) return;
  const violation = new InvariantViolation(message, details ?? {});
  // Outside of every promise and every catch.
  queueMicrotask(() => {
    throw violation;
  });
  throw violation;
}

/**
 * For whoever turns unknown errors into answers, retries or log lines, before anything else: what
 * code of the same turn has caught isn't an uncaught exception yet.
 * @throws InvariantViolation when `error` is one
 */
export function passViolation(error: unknown): void {
  if (error instanceof InvariantViolation) throw error;
}
