// The texts that the tidy rules look at: what people write and read, by path from the project's
// root. Rules are pure functions from such a tree to faults.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";

/** Path from the root, with slashes, to text. */
export type Tree = ReadonlyMap<string, string>;

export interface Fault {
  readonly path: string;
  /** From 1; 0 where the fault is the whole file's or a folder's. */
  readonly line: number;
  readonly what: string;
}

const FOLDERS = ["src", "scripts", "bin", "native-notes"];
const CODE = new Set([".ts", ".js", ".cjs", ".sh", ".c", ".h", ".gyp", ""]);
const ROOT_TEXTS = new Set([".md", ".js", ".cjs", ".gyp"]);

/** @throws Error where a folder of the project is missing */
export function readTree(root: string): Tree {
  const tree = new Map<string, string>();
  const add = (path: string): void => {
    tree.set(path, readFileSync(join(root, path), "utf8"));
  };
  for (const entry of readdirSync(root, { withFileTypes: true })) {
    if (entry.isFile() && ROOT_TEXTS.has(extname(entry.name.replace(/^\./, "")))) add(entry.name);
  }
  for (const folder of FOLDERS) {
    const entries = readdirSync(join(root, folder), { recursive: true, withFileTypes: true });
    for (const entry of entries.filter((each) => each.isFile())) {
      add(join(entry.parentPath, entry.name).slice(root.length));
    }
  }
  return tree;
}

export function isCode(path: string): boolean {
  return CODE.has(extname(path));
}

/** TypeScript that is shipped: no tests, and nothing that only tests import. */
export function isProduct(path: string): boolean {
  const isSource = path.startsWith("src/") && path.endsWith(".ts");
  return isSource && !path.endsWith(".test.ts") && !path.startsWith("src/testing/");
}

export function folderOf(path: string): string {
  return dirname(path);
}

export function linesOf(text: string): string[] {
  return text.split("\n");
}

/** Every match of a pattern in every line of the files that `applies` picks. */
export function faultsOfLines(
  tree: Tree,
  applies: (path: string) => boolean,
  faultOf: (line: string) => string | undefined,
): Fault[] {
  return [...tree].flatMap(([path, text]) => {
    if (!applies(path)) return [];
    return linesOf(text).flatMap((line, index) => {
      const what = faultOf(line);
      return what === undefined ? [] : [{ path, line: index + 1, what }];
    });
  });
}
