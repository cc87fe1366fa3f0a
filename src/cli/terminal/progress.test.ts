import test from "ava";
import { progressLine } from "./progress.ts";

const MIB = 1024 * 1024;

test("the line tells how far, how fast and how long still", (t) => {
  t.is(
    progressLine("file", 25 * MIB, 100 * MIB, 5 * MIB),
    "file  25%  25.0 MiB of 100 MiB  5.00 MiB/s  ETA 15 s",
  );
});

test("without a total or a rate nothing is made up", (t) => {
  t.is(progressLine("pipe", MIB, undefined, 2 * MIB), "pipe  1.00 MiB  2.00 MiB/s");
  t.is(progressLine("file", 0, MIB, 0), "file  0%  0 B of 1.00 MiB  0 B/s");
  t.is(progressLine("empty", 0, 0, 0), "empty  100%  0 B of 0 B  0 B/s");
});
