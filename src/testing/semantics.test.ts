// Every line of SEMANTICS.md ends with the tests that keep it: [file › part of a title; file ›
// part; …]. A file goes by its name, with folders where that isn't enough to tell it.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import test from "ava";
import { findTestFiles, readTitles } from "./test-titles.ts";

const SOURCES = fileURLToPath(new URL("../../src/", import.meta.url));
const TEXT = readFileSync(new URL("../../SEMANTICS.md", import.meta.url), "utf8");
const REFERENCES = /\[([^[\]]+ › [^[\]]+)\]$/;
/** Shorter parts match by chance. */
const MIN_PART_CHARS = 12;

/** Bullets and paragraphs below the first heading of a section; what stands above it are tenets. */
function linesOf(text: string): string[] {
  const body = text.slice(text.indexOf("\n## "));
  return body
    .split(/\n(?=- )|\n\n/)
    .map((block) => block.replaceAll(/\s+/g, " ").trim())
    .filter((block) => block !== "" && !block.startsWith("#"));
}

/** What is wrong with a reference; undefined when it names a test that exists. */
function fault(reference: string): string | undefined {
  const [name = "", part = ""] = reference.split(" › ");
  const [path, ...others] = findTestFiles(SOURCES, name);
  if (path === undefined) return `no file ${name}.test.ts`;
  if (others.length > 0) return `several files ${name}.test.ts`;
  if (part.length < MIN_PART_CHARS) return `"${part}" is too short to tell a title`;
  if (!readTitles(path).some((title) => title.includes(part))) {
    return `no title in ${name}.test.ts with "${part}"`;
  }
  return undefined;
}

function faultsOf(line: string): string[] {
  const references = REFERENCES.exec(line)?.[1];
  if (references === undefined) return [`no test named: ${line}`];
  return references.split("; ").flatMap((reference) => fault(reference) ?? []);
}

test("every line of SEMANTICS.md names tests that exist", (t) => {
  const lines = linesOf(TEXT);
  t.true(lines.length > 20);
  t.deepEqual(lines.flatMap(faultsOf), []);
});

test("a line without a test, and one that names a test that isn't there, are found", (t) => {
  t.deepEqual(faultsOf("It holds."), ["no test named: It holds."]);
  const faults = faultsOf(
    "It holds. [testing/semantics › every line of SEMANTICS.md; " +
      "semantics › no such promise here; testing/semantics › a promise nobody made; " +
      "no-such-file › whatever it is; testing/semantics › line]",
  );
  t.deepEqual(faults, [
    "several files semantics.test.ts",
    'no title in testing/semantics.test.ts with "a promise nobody made"',
    "no file no-such-file.test.ts",
    '"line" is too short to tell a title',
  ]);
});

test("titles are found in calls, tables and templates, and not elsewhere", (t) => {
  const [path = ""] = findTestFiles(SOURCES, "cli/e2e/semantics");
  const titles = readTitles(path);
  t.true(titles.includes("ACLs hold for users and groups, with masks and defaults"));
  t.false(titles.includes("user.alw"));
  const [fuseNative = ""] = findTestFiles(SOURCES, "fuse-native/fuse-native-mount");
  t.true(
    readTitles(fuseNative).includes("…: a tree copied in is the same tree: data, modes, links"),
  );
});
