// Rules on names: of files, of folders, and of classes.
import { basename } from "node:path";
import { folderOf, isProduct, linesOf, type Fault, type Tree } from "./tree.ts";

/** A room with one of these names takes in anything. */
const BANNED_NAMES = /^(utils?|helpers|common|managers?|misc)$/;
/** Rooms that do the same thing in two ways; their files may have the same names. */
const PARALLEL_FOLDERS: readonly (readonly string[])[] = [
  ["src/fuse/channel", "src/fuse/fuse-native"],
];
/** Each room has its own. */
const NAME_OF_EACH_ROOM = "limits.ts";
const CLASS = /^\s*(?:export )?(?:abstract )?class (\w+)/;

export function bannedNames(tree: Tree): Fault[] {
  return [...tree.keys()].flatMap((path) => {
    const banned = path
      .split("/")
      .map((part) => part.replace(/\..*$/, ""))
      .flatMap((part) => part.split("-"))
      .find((word) => BANNED_NAMES.test(word));
    return banned === undefined ? [] : [{ path, line: 0, what: `"${banned}" says nothing` }];
  });
}

/** A file can be told by its name alone. */
export function sameBasenames(tree: Tree): Fault[] {
  const product = [...tree.keys()].filter(isProduct);
  const groups = groupBy(product, (path) => basename(path));
  groups.delete(NAME_OF_EACH_ROOM);
  return [...groups.values()]
    .filter((paths) => paths.length > 1 && !areParallel(paths))
    .flatMap((paths) => paths.map((path) => ({ path, line: 0, what: othersOf(path, paths) })));
}

function areParallel(paths: readonly string[]): boolean {
  const folders = paths.map(folderOf);
  return PARALLEL_FOLDERS.some((parallel) => folders.every((folder) => parallel.includes(folder)));
}

function othersOf(path: string, paths: readonly string[]): string {
  return `the same name as ${paths.filter((other) => other !== path).join(", ")}`;
}

export function sameClasses(tree: Tree): Fault[] {
  const classes = [...tree].flatMap(([path, text]) => {
    if (!isProduct(path)) return [];
    return linesOf(text).flatMap((line, index) => {
      const name = CLASS.exec(line)?.[1];
      return name === undefined ? [] : [{ name, path, line: index + 1 }];
    });
  });
  return [...groupBy(classes, ({ name }) => name).values()]
    .filter((group) => group.length > 1)
    .flatMap((group) => {
      const paths = group.map(({ path }) => path);
      return group.map(({ name, path, line }) => {
        return { path, line, what: `class ${name} has ${othersOf(path, paths)}` };
      });
    });
}

function groupBy<T>(all: readonly T[], keyOf: (each: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const each of all) {
    const key = keyOf(each);
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  return groups;
}
