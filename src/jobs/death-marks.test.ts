import test from "ava";
import { DeathMarks } from "./death-marks.ts";

test("a death is due when its grace is over, and not much later", (t) => {
  const marks = new DeathMarks(8000);
  marks.note(0, 5);
  t.is(marks.due, 0);
  marks.note(500, 6);
  marks.note(2000, 9);
  marks.note(7999, 9);
  t.is(marks.due, 0);
  marks.note(8000, 9);
  t.is(marks.due, 5);
  marks.note(9999, 9);
  t.is(marks.due, 5, "6 was noted with what came after it");
  marks.note(10_000, 9);
  t.is(marks.due, 9);
});

test("without a grace a death is due when it is noted", (t) => {
  const marks = new DeathMarks(0);
  marks.note(3, 1);
  marks.note(3, 4);
  t.is(marks.due, 4);
});
