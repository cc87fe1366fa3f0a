import test from "ava";
import { violationOf } from "../testing/violation.ts";
import { invariant, InvariantViolation, passViolation } from "./invariant.ts";
import { FsError } from "./errno.ts";

test("what holds costs nothing and narrows the type", (t) => {
  const value = [1].at(0);
  invariant(value !== undefined, "there is one");
  t.is(value + 1, 2);
});

test("a violation goes past whoever catches it", async (t) => {
  let caught: unknown = undefined;
  const violation = await violationOf(() => {
    try {
      invariant(1 + 1 === 3, "sums are wrong", { sum: 2 });
    } catch (error) {
      caught = error;
    }
  });
  t.is(caught, violation);
  t.is(violation.message, "sums are wrong");
  t.deepEqual(violation.details, { sum: 2 });
  t.false(violation instanceof FsError);
});

test("whoever handles errors passes a violation on, and nothing else", (t) => {
  passViolation(new FsError("EIO", "a disk failed"));
  passViolation(new TypeError("a bug"));
  const violation = new InvariantViolation("broken", {});
  t.is(
    t.throws(() => passViolation(violation)),
    violation,
  );
});
