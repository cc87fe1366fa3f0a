// The locks of one inode in one space: conflicts, and what a request makes of them. Pure functions
// over lists that are never changed in place.
import type { LockOwner, LockRange, LockType } from "../../domain/file-lock.ts";
import type { SessionId } from "../../domain/ids.ts";

export interface Holder {
  readonly session: SessionId;
  readonly owner: LockOwner;
}

export interface HeldLock extends Holder, LockRange {
  readonly type: LockType;
  /** Process that asked for it, as its client's kernel counts them. */
  readonly pid: number;
}

/** In no order. The ranges of one holder don't overlap, and those of a type don't touch. */
export type LockList = readonly HeldLock[];

export interface Wanted extends LockRange {
  readonly type: LockType;
}

export function isHeldBy(lock: Holder, holder: Holder): boolean {
  return lock.session === holder.session && lock.owner === holder.owner;
}

export function overlaps(a: LockRange, b: LockRange): boolean {
  return a.start < b.end && b.start < a.end;
}

/** Locks of others that stand against `wanted`. */
export function conflictsOf(locks: LockList, holder: Holder, wanted: Wanted): HeldLock[] {
  return locks.filter(
    (lock) =>
      (wanted.type === "write" || lock.type === "write") &&
      overlaps(lock, wanted) &&
      !isHeldBy(lock, holder),
  );
}

/** The holder has this lock, with its neighbours' help or by a stronger one's. */
export function holdsAll(locks: LockList, holder: Holder, wanted: Wanted): boolean {
  const own = locks
    .filter((lock) => isHeldBy(lock, holder) && lock.type === wanted.type)
    .sort(byStart);
  let reached = wanted.start;
  for (const lock of own) if (lock.start <= reached && lock.end > reached) reached = lock.end;
  return reached >= wanted.end;
}

/** Without the holder's locks in the range; those that reach out of it keep their rest. */
export function withoutRange(locks: LockList, holder: Holder, range: LockRange): LockList {
  return locks.flatMap((lock) => {
    if (!isHeldBy(lock, holder) || !overlaps(lock, range)) return [lock];
    const rest: HeldLock[] = [];
    if (lock.start < range.start) rest.push({ ...lock, end: range.start });
    if (lock.end > range.end) rest.push({ ...lock, start: range.end });
    return rest;
  });
}

/** With the range locked; the caller has seen to it that nothing conflicts. */
export function withLock(locks: LockList, holder: Holder, wanted: Wanted, pid: number): LockList {
  let { start, end } = wanted;
  const kept = withoutRange(locks, holder, wanted).filter((lock) => {
    const touches = lock.start <= end && start <= lock.end;
    if (!touches || lock.type !== wanted.type || !isHeldBy(lock, holder)) return true;
    if (lock.start < start) start = lock.start;
    if (lock.end > end) end = lock.end;
    return false;
  });
  const { session, owner } = holder;
  return [...kept, { session, owner, type: wanted.type, start, end, pid }];
}

function byStart(a: LockRange, b: LockRange): number {
  return a.start < b.start ? -1 : a.start > b.start ? 1 : 0;
}
