import test from "ava";
import { nameFromUtf8 } from "../domain/name.ts";
import { formatPath, splitPath } from "./file-path.ts";

test("a path is split at its slashes, without empty parts and dots; .. stays", (t) => {
  t.deepEqual(splitPath("/a//b/./c/"), ["a", "b", "c"]);
  t.deepEqual(splitPath("/a/../b"), ["a", "..", "b"]);
  t.deepEqual(splitPath("/"), []);
});

test("a path is shown as people wrote it", (t) => {
  t.is(formatPath([]), "/");
  t.is(formatPath(["größe", "🗂"].map(nameFromUtf8)), "/größe/🗂");
});
