// Rules on lines: their width, how many a file may have, what its first says, and words that no
// line has. What ESLint checks already (any, non-null assertions, long functions) isn't here.
import { faultsOfLines, isCode, linesOf, type Fault, type Tree } from "./tree.ts";

const MAX_COLUMNS = 100;
const MAX_LINES = 400;
/** Places that a link leads to may be as long as they are. */
const LINK_TARGET = /\]\([^)]*\)|https?:\/\/\S+/g;
const FENCE = /^\s*```/;

/** Code, scripts and prose end at column 100; tables, code blocks and URLs in prose don't. */
export function longLines(tree: Tree): Fault[] {
  const code = faultsOfLines(tree, isCode, tooLong);
  const prose = [...tree].flatMap(([path, text]) =>
    path.endsWith(".md") ? longProse(path, text) : [],
  );
  return [...code, ...prose];
}

function tooLong(line: string): string | undefined {
  const columns = Array.from(line).length;
  return columns > MAX_COLUMNS ? `${columns} columns, ${MAX_COLUMNS} at most` : undefined;
}

function longProse(path: string, text: string): Fault[] {
  let isFenced = false;
  return linesOf(text).flatMap((line, index) => {
    if (FENCE.test(line)) isFenced = !isFenced;
    if (isFenced || line.startsWith("|")) return [];
    const what = tooLong(line.replaceAll(LINK_TARGET, ""));
    return what === undefined ? [] : [{ path, line: index + 1, what }];
  });
}

export function longFiles(tree: Tree): Fault[] {
  return [...tree].flatMap(([path, text]) => {
    const lines = linesOf(text.trimEnd()).length;
    if (!isCode(path) || lines <= MAX_LINES) return [];
    return [{ path, line: MAX_LINES + 1, what: `${lines} lines, ${MAX_LINES} at most` }];
  });
}

/** A file's first line says what lives there; that of a script is the second. Tests' names do. */
export function silentFirstLines(tree: Tree): Fault[] {
  return [...tree].flatMap(([path, text]) => {
    if (!isCode(path) || /\.(test\.ts|gyp)$/.test(path)) return [];
    const lines = linesOf(text);
    const line = lines[0]?.startsWith("#!") === true ? 2 : 1;
    if (/^(\/\/|\/\*|#) ?\S/.test(lines[line - 1] ?? "")) return [];
    return [{ path, line, what: "no comment that says what lives here" }];
  });
}

/** What must not stand in any line of code, and why. */
const BANNED: readonly (readonly [RegExp, string])[] = [
  [/\b(TODO|FIXME|XXX)\b(?! ?\(?#\d)/, "a task without the number of its issue"],
  [/eslint-disable|@ts-(ignore|expect-error|nocheck)|prettier-ignore/, "a check switched off"],
  [/\b(test|serial|before|after)\.(only|todo|failing)\b/, "a test that leaves others out"],
  [/\bt\.timeout\((3[6-9]\d|[4-9]\d\d|\d+_\d{3})_\d{3}\)/, "a timeout beyond ava's own"],
  [/\b(replicas?|datanodes?|chunkservers?|namenodes?)\b/i, "a word of other systems' glossaries"],
];

/** The rules' own sources and tests must name what they forbid. */
const RULES = "src/testing/tidy/";

export function bannedWords(tree: Tree): Fault[] {
  return faultsOfLines(
    tree,
    (path) => isCode(path) && !path.startsWith(RULES),
    (line) => BANNED.find(([word]) => word.test(line))?.[1],
  );
}
