import test from "ava";
import { CliError } from "../terminal/exit-codes.ts";
import { formatPath } from "../../files/file-path.ts";
import { parseRemotePath } from "./remote-path.ts";

test("paths are absolute, with or without dfs:, and come back as they were meant", (t) => {
  t.deepEqual(parseRemotePath("/"), []);
  t.is(formatPath(parseRemotePath("dfs:/a//b/./c/")), "/a/b/c");
  t.is(formatPath(parseRemotePath("/größe/🗂")), "/größe/🗂");
  t.is(formatPath([]), "/");
});

test("names are bytes inside", (t) => {
  t.deepEqual(parseRemotePath("/ö").map(String), ["\u00c3\u00b6"]);
});

test("a relative path is a usage error, a name of 256 bytes too long", (t) => {
  t.is(t.throws(() => parseRemotePath("a/b"), { instanceOf: CliError }).exitCode, 2);
  t.is(t.throws(() => parseRemotePath("dfs:a"), { instanceOf: CliError }).exitCode, 2);
  t.throws(() => parseRemotePath(`/${"x".repeat(256)}`), { code: "ENAMETOOLONG" });
});
