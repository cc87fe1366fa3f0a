import test from "ava";
import { FsError } from "../../domain/errno.ts";
import { CliError, describeError, exitCodeOf } from "./exit-codes.ts";

test("errors of servers, of the local disk and of the command line have their exit codes", (t) => {
  t.is(exitCodeOf(new FsError("ENOENT", "gone")), 3);
  t.is(exitCodeOf(new FsError("EACCES", "no")), 4);
  t.is(exitCodeOf(new FsError("ECONNREFUSED", "away")), 5);
  t.is(exitCodeOf(new FsError("ENOSPC", "full")), 1);
  t.is(exitCodeOf(Object.assign(new Error("local"), { code: "ENOENT" })), 3);
  t.is(exitCodeOf(Object.assign(new Error("odd"), { code: "toString" })), 1);
  t.is(exitCodeOf(new CliError(2, "usage")), 2);
  t.is(exitCodeOf("thrown text"), 1);
});

test("an error is one line, its advice the next, and no stack", (t) => {
  t.is(describeError(new FsError("EIO", "it broke")), "dfs: it broke");
  t.is(describeError(new CliError(1, "it broke", "Mend it.")), "dfs: it broke\n  Mend it.");
});
