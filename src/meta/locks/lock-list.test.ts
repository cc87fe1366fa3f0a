import test from "ava";
import fc from "fast-check";
import type { LockOwner, LockType } from "../../domain/file-lock.ts";
import type { SessionId } from "../../domain/ids.ts";
import {
  conflictsOf,
  holdsAll,
  withLock,
  withoutRange,
  type Holder,
  type LockList,
} from "./lock-list.ts";

const BYTES = 12;
const HOLDERS: readonly Holder[] = [1, 1, 2].map((session, index) => ({
  session: session as SessionId,
  owner: `owner-${index % 2}` as LockOwner,
}));

/** Byte by byte: who has what. Nobody can get this wrong. */
class Model {
  readonly #bytes = Array.from({ length: BYTES }, () => new Map<number, LockType>());

  conflicts(who: number, type: LockType, start: number, end: number): boolean {
    return this.#bytes
      .slice(start, end)
      .some((byte) =>
        [...byte].some(([other, held]) => other !== who && (type === "write" || held === "write")),
      );
  }

  set(who: number, type: LockType | "unlock", start: number, end: number): void {
    for (const byte of this.#bytes.slice(start, end)) {
      if (type === "unlock") byte.delete(who);
      else byte.set(who, type);
    }
  }

  /** Runs of a holder's bytes of one type. */
  runs(who: number): string[] {
    const runs: string[] = [];
    for (let at = 0; at < BYTES; at += 1) {
      const type = this.#bytes[at]?.get(who);
      const start = at;
      while (at + 1 < BYTES && this.#bytes[at + 1]?.get(who) === type) at += 1;
      if (type !== undefined) runs.push(`${type} ${start}-${at + 1}`);
    }
    return runs;
  }
}

function runsOf(locks: LockList, who: number): string[] {
  const holder = HOLDERS[who];
  return locks
    .filter(({ session, owner }) => session === holder?.session && owner === holder.owner)
    .sort((a, b) => Number(a.start - b.start))
    .map(({ type, start, end }) => `${type} ${start}-${end}`);
}

const step = fc
  .record({
    who: fc.nat(HOLDERS.length - 1),
    type: fc.constantFrom("read", "write", "unlock"),
    start: fc.nat(BYTES - 1),
    length: fc.integer({ min: 1, max: BYTES }),
  })
  .map(({ who, type, start, length }) => {
    return { who, type, start, end: Math.min(start + length, BYTES) } as const;
  });

test("locking, converting and unlocking leaves each holder the bytes POSIX gives it", (t) => {
  const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const model = new Model();
    let locks: LockList = [];
    for (const { who, type, start, end } of steps) {
      const holder = HOLDERS[who];
      if (holder === undefined) throw new Error("no such holder");
      const range = { start: BigInt(start), end: BigInt(end) };
      if (type === "unlock") {
        locks = withoutRange(locks, holder, range);
      } else {
        const conflict = conflictsOf(locks, holder, { type, ...range }).length > 0;
        t.is(conflict, model.conflicts(who, type, start, end));
        if (conflict) continue;
        locks = withLock(locks, holder, { type, ...range }, 1);
        t.true(holdsAll(locks, holder, { type, ...range }));
      }
      model.set(who, type, start, end);
      for (const index of HOLDERS.keys()) t.deepEqual(runsOf(locks, index), model.runs(index));
    }
  });
  t.notThrows(() => fc.assert(property, { numRuns: 300 }));
});

test("a holder has all of a range only when no byte of it is missing or of another type", (t) => {
  const holder = { session: 1 as SessionId, owner: "a" as LockOwner };
  let locks = withLock([], holder, { type: "write", start: 0n, end: 4n }, 1);
  locks = withLock(locks, holder, { type: "write", start: 6n, end: 9n }, 1);
  t.true(holdsAll(locks, holder, { type: "write", start: 1n, end: 4n }));
  t.false(holdsAll(locks, holder, { type: "write", start: 1n, end: 7n }));
  t.false(holdsAll(locks, holder, { type: "read", start: 1n, end: 4n }));
  t.false(
    holdsAll(locks, { ...holder, session: 2 as SessionId }, { type: "write", start: 0n, end: 1n }),
  );
});
