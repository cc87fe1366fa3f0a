import test from "ava";
import { FsError } from "../../domain/errno.ts";
import type { SessionId } from "../../domain/ids.ts";
import { ChangeLog } from "./change-log.ts";
import { MAX_KEPT_BYTES, MAX_KEPT_CHANGES } from "./limits.ts";
import type { Procedure } from "./procedure.ts";

const CODEC = { pack: (value: unknown) => value, read: (raw: unknown) => raw };
const PROCEDURE: Procedure = {
  name: "change",
  number: 1,
  once: true,
  doneBySessionEnd: false,
  args: [CODEC],
  result: CODEC,
};
const ONE = 1 as SessionId;
const TWO = 2 as SessionId;

function greet(log: ChangeLog, lives: Record<string, number>, durablePosition = 0, session = ONE) {
  const incarnations = Object.entries(lives).map(([id, beganAt]) => ({ id, beganAt }));
  return log.greeted({ incarnations, durablePosition }, session);
}

/** A log with changes at these positions, as the first incarnation acknowledged them. */
function logOf(...positions: number[]): ChangeLog {
  const log = new ChangeLog();
  greet(log, { a: 0 });
  for (const position of positions) keep(log, position);
  return log;
}

function keep(log: ChangeLog, position: number, args: readonly unknown[] = []): void {
  const ticket = { slot: 0, sequence: position };
  log.keep({ procedure: PROCEDURE, args, ticket }, position, "trace");
}

function forgotten(log: ChangeLog): number[] {
  return log.forgotten.map(({ position }) => position);
}

test("what a server has forgotten is what lies behind where any later life of it began", (t) => {
  const log = logOf(1, 3, 2, 4, 5);
  t.true(greet(log, { a: 0, b: 4, c: 2, d: 9 }).rolledBack);
  t.deepEqual(forgotten(log), [3, 4, 5], "in order, though the answers came in another");
  const same = logOf(1, 2);
  t.false(greet(same, { a: 0 }).rolledBack);
  t.deepEqual(forgotten(same), []);
});

test("what is on disk is kept no longer, and positions of a later life say nothing of it", (t) => {
  const log = logOf(1, 2, 3);
  log.durable(2);
  greet(log, { a: 0, b: 2 }, 100);
  t.deepEqual(forgotten(log), [3]);
});

test("a server that doesn't know the last life is sent all that isn't known to be on disk", (t) => {
  const log = logOf(1, 2, 3);
  log.durable(1);
  greet(log, { b: 7, c: 9 });
  t.deepEqual(forgotten(log), [2, 3]);
});

test("what was done again is kept by its new position, the rest is lost and told", (t) => {
  const log = logOf(1, 2, 3);
  greet(log, { a: 0, b: 0 });
  const error = new FsError("EEXIST", "taken");
  const lost = log.redone([10, error, 11]);
  t.deepEqual(
    lost.map((call) => call.error),
    [error],
  );
  greet(log, { a: 0, b: 0, c: 10 });
  t.deepEqual(forgotten(log), [11]);
});

test("a second rollback amid the redo leaves the first one's changes in front", (t) => {
  const log = logOf(5, 6);
  greet(log, { a: 0, b: 4 });
  greet(log, { a: 0, b: 4, c: 4 });
  t.deepEqual(forgotten(log), [5, 6]);
  log.redone([5, 6]);
  keep(log, 7);
  greet(log, { a: 0, b: 4, c: 4, d: 5 });
  t.deepEqual(forgotten(log), [6, 7]);
});

test("of a session that has ended nothing can be done again: it is told", (t) => {
  const log = logOf(1, 2);
  const { lost } = greet(log, { a: 0, b: 1 }, 0, TWO);
  t.is(lost.length, 1);
  t.deepEqual(forgotten(log), []);
});

test("a log is full at so many changes, and at so many bytes, until they are on disk", (t) => {
  const many = logOf();
  for (let position = 1; position <= MAX_KEPT_CHANGES; position += 1) {
    t.is(many.filling, position > MAX_KEPT_CHANGES / 2);
    keep(many, position);
  }
  t.true(many.full);
  many.durable(MAX_KEPT_CHANGES);
  t.false(many.filling);
  const large = logOf();
  keep(large, 1, [new Uint8Array(MAX_KEPT_BYTES)]);
  t.true(large.full);
  large.durable(1);
  t.false(large.full || large.filling);
});
