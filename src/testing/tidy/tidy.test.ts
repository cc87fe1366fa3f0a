// The house rules, kept over the whole tree. Each rule's own test is in tidy-rules.test.ts.
import { fileURLToPath } from "node:url";
import test from "ava";
import { missingPaths } from "./documents.ts";
import { circles, fullFolders } from "./folders.ts";
import { bannedWords, longFiles, longLines, silentFirstLines } from "./lines.ts";
import { bannedNames, sameBasenames, sameClasses } from "./names.ts";
import { readTree, type Fault, type Tree } from "./tree.ts";

const TREE = readTree(fileURLToPath(new URL("../../../", import.meta.url)));

const RULES: Readonly<Record<string, (tree: Tree) => Fault[]>> = {
  "lines end at column 100": longLines,
  "files end at line 400": longFiles,
  "a file's first line says what lives there": silentFirstLines,
  "no line has a word that the rules forbid": bannedWords,
  "no file or folder has a name that takes in anything": bannedNames,
  "a product file can be told by its name": sameBasenames,
  "a class can be told by its name": sameClasses,
  "a folder has at most 20 product files": fullFolders,
  "folders import each other in no circle": circles,
  "documents name files that exist": missingPaths,
};

test("the tree is read: sources, scripts and documents", (t) => {
  for (const path of ["src/cli/main.ts", "scripts/test", "bin/dfs", "SEMANTICS.md"]) {
    t.true(TREE.has(path), path);
  }
});

for (const [promise, rule] of Object.entries(RULES)) {
  test(promise, (t) => {
    const faults = rule(TREE).map(({ path, line, what }) => `${path}:${line}: ${what}`);
    t.deepEqual(faults, []);
  });
}
