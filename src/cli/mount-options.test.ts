import test from "ava";
import { CliError } from "./exit-codes.ts";
import { parseMountOptions } from "./mount-options.ts";

test("option lists add up and later ones win", (t) => {
  t.deepEqual(parseMountOptions([]), { readOnly: false, allowOther: false, writeback: false });
  t.deepEqual(parseMountOptions(["ro,allow_other", "rw", "writeback,"]), {
    readOnly: false,
    allowOther: true,
    writeback: true,
  });
});

test("an unknown option is a usage error that names it", (t) => {
  const error = t.throws(() => parseMountOptions(["ro,toString"]), { instanceOf: CliError });
  t.is(error.exitCode, 2);
  t.regex(error.message, /toString/);
});
