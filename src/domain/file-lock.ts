// Vocabulary of advisory locks: flock(2) and fcntl(2). Offsets are 64-bit, hence bigint.

/**
 * Who holds or wants a lock, within one session: 64 bits as 16 hex digits. For fcntl a process (or
 * an open file description, F_OFD_SETLK), for flock an open file description.
 */
export type LockOwner = string & { readonly lockOwner: unique symbol };

/** Locks of the two spaces never conflict with each other, as on Linux. */
export type LockSpace = "fcntl" | "flock";

/** read: shared, write: exclusive. */
export type LockType = "read" | "write";

/** Where the largest lockable range ends, exclusive. */
export const LOCK_END = 2n ** 63n;

/** [start, end). A flock covers everything. */
export interface LockRange {
  readonly start: bigint;
  readonly end: bigint;
}

export const WHOLE_FILE: LockRange = { start: 0n, end: LOCK_END };

export function toLockOwner(high: number, low: number): LockOwner {
  const digits = high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");
  return digits as LockOwner; // sixteen digits
}
