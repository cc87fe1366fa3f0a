// Each tidy rule finds what it forbids in a small bad tree, and nothing in a good one.
import test from "ava";
import { missingPaths } from "./documents.ts";
import { circles, fullFolders } from "./folders.ts";
import { bannedWords, longFiles, longLines, silentFirstLines } from "./lines.ts";
import { bannedNames, sameBasenames, sameClasses } from "./names.ts";
import type { Fault, Tree } from "./tree.ts";

function treeOf(files: Readonly<Record<string, string>>): Tree {
  return new Map(Object.entries(files));
}

/** Where the rule finds faults: "path:line". */
function placesOf(
  rule: (tree: Tree) => Fault[],
  files: Readonly<Record<string, string>>,
): string[] {
  return rule(treeOf(files)).map(({ path, line }) => `${path}:${line}`);
}

test("a line of more than 100 characters is found in code, tests and scripts", (t) => {
  const wide = "é".repeat(100);
  const files = { "src/a.ts": `${wide}\n${wide}x`, "src/a.test.ts": `${wide}x`, "bin/dfs": wide };
  t.deepEqual(placesOf(longLines, files), ["src/a.ts:2", "src/a.test.ts:1"]);
});

test("prose may be longer in tables, in code blocks and where it has links", (t) => {
  const wide = "x".repeat(101);
  const link = `[where](https://host/${wide})`;
  const prose = [`| ${wide} |`, "```", wide, "```", link, `<https://host/${wide}>`, wide];
  t.deepEqual(placesOf(longLines, { "A.md": prose.join("\n") }), ["A.md:7"]);
});

test("a file of more than 400 lines is found", (t) => {
  const full = "x\n".repeat(400);
  t.deepEqual(placesOf(longFiles, { "src/a.ts": full, "src/b.c": `${full}x\n` }), ["src/b.c:401"]);
});

test("a file whose first line says nothing is found; a script's first line is the second", (t) => {
  const files = {
    "src/a.ts": "// What lives here.\nx",
    "src/b.ts": "import x",
    "src/c.c": "/* What lives here. */",
    "scripts/d": "#!/bin/sh\n# What it does.",
    "scripts/e": "#!/bin/sh\nset -e",
    "src/f.test.ts": "import x",
  };
  t.deepEqual(placesOf(silentFirstLines, files), ["src/b.ts:1", "scripts/e:2"]);
});

test("tasks without an issue, checks switched off, tests left out or too patient: found", (t) => {
  const bad = [
    "// TODO: later",
    "// TODO #12: later",
    "// eslint-disable-next-line",
    "// @ts-ignore",
    'test.only("x")',
    'test.serial.todo("x")',
    "a replica of it",
    "t.timeout(300_000);",
    "t.timeout(400_000);",
    "t.timeout(1_200_000);",
  ];
  const faults = bannedWords(treeOf({ "src/a.ts": bad.join("\n") }));
  t.deepEqual(
    faults.map(({ line }) => line),
    [1, 3, 4, 5, 6, 7, 9, 10],
  );
});

test("a file or a folder that is named for nothing is found", (t) => {
  const files = { "src/a/utils/b.ts": "", "src/c-helpers.ts": "", "src/misc.test.ts": "" };
  const bad = ["src/a/utils/b.ts:0", "src/c-helpers.ts:0", "src/misc.test.ts:0"];
  t.deepEqual(placesOf(bannedNames, { ...files, "src/community.ts": "" }), bad);
});

test("two product files of one name are found, but limits and parallel drivers", (t) => {
  const files = {
    "src/a/x.ts": "",
    "src/b/x.ts": "",
    "src/testing/x.ts": "",
    "src/a/limits.ts": "",
    "src/b/limits.ts": "",
    "src/fuse/channel/y.ts": "",
    "src/fuse/fuse-native/y.ts": "",
  };
  t.deepEqual(placesOf(sameBasenames, files), ["src/a/x.ts:0", "src/b/x.ts:0"]);
});

test("two classes of one name are found", (t) => {
  const files = {
    "src/a.ts": "// A\nexport class X {}",
    "src/b.ts": "abstract class X {}",
    "src/c.ts": "class Y {}",
    "src/testing/d.ts": "class Y {}",
  };
  t.deepEqual(placesOf(sameClasses, files), ["src/a.ts:2", "src/b.ts:1"]);
});

test("a folder of more than 20 product files is found; its tests don't count", (t) => {
  const names = Array.from({ length: 20 }, (_, index) => `src/a/${index}.ts`);
  const files = Object.fromEntries([...names, "src/a/x.test.ts"].map((name) => [name, ""]));
  t.deepEqual(placesOf(fullFolders, files), []);
  t.deepEqual(placesOf(fullFolders, { ...files, "src/a/x.ts": "" }), ["src/a:0"]);
});

test("the imports that close a circle of folders are found at its weakest edge", (t) => {
  const files = {
    "src/a/one.ts": '// A\nimport { x } from "../b/x.ts";\nimport "../b/y.ts";',
    "src/b/x.ts": 'export { z } from "./c/z.ts";\nimport type { Y } from "./y.ts";',
    "src/b/y.ts": 'import { z } from "./c/z.ts";',
    "src/b/c/z.ts": '// Z\n\nawait import("../../a/one.ts");',
    "src/b/x.test.ts": 'import "../a/one.ts";',
  };
  t.deepEqual(circles(treeOf(files)), [
    {
      path: "src/b/c/z.ts",
      line: 3,
      what: "closes the circle src/b/c → src/a → src/b → src/b/c",
    },
  ]);
  t.deepEqual(placesOf(circles, { ...files, "src/b/c/z.ts": "" }), []);
});

test("a document that names a file or a folder that isn't there is found", (t) => {
  const good = "`src/a/one.ts`, `a/one.ts`, `one.ts`, `a/`, `src/a/*.ts`, `a/{one,two}.ts`, `x/y`";
  const bad = ["`src/b/one.ts`", "`a/three.ts`", "`three.ts`", "`a/{one,three}.ts`", "`a/*.c`"];
  const files = { "src/a/one.ts": "", "src/a/two.ts": "", "A.md": [good, ...bad].join("\n") };
  t.deepEqual(
    placesOf(missingPaths, files),
    bad.map((_, index) => `A.md:${index + 2}`),
  );
});
