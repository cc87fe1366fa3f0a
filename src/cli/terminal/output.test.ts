import test from "ava";
import { formatTable, printable } from "./output.ts";

test("columns line up, numbers to the right, nothing trails", (t) => {
  const table = formatTable([
    ["name", "size", ""],
    ["a", 5, ""],
    ["longer", 1234, "x"],
  ]);
  t.is(table, "name    size\na          5\nlonger  1234  x");
});

test("names can't write control sequences to the terminal", (t) => {
  t.is(printable("a\u001b[31mb\nc\u009b"), "a?[31mb?c?");
  t.is(printable("größe 🗂"), "größe 🗂");
});
