// A rule on documents: files and folders that they name are there. Paths stand in backticks, from
// the root or from src/, with `*` and `{a,b}` where several are meant; a file may go by its name.
import { basename } from "node:path";
import { linesOf, type Fault, type Tree } from "./tree.ts";

const CODE_SPAN = /`([^`\n]+)`/g;
const PATH = /^[\w.*{},/-]+$/;
const FILE_NAME = /^[\w*{},-][\w.*{},-]*\.(ts|js|cjs|c|h|sh|md|gyp)$/;

/** The documents that say where things are. */
function isDocument(path: string): boolean {
  return path.endsWith(".md");
}

export function missingPaths(tree: Tree): Fault[] {
  const places = placesOf(tree);
  return [...tree].flatMap(([path, text]) => {
    if (!isDocument(path)) return [];
    return linesOf(text).flatMap((content, index) => {
      return [...content.matchAll(CODE_SPAN)].flatMap(([, name = ""]) => {
        if (!claimsAPath(name, places) || exists(name, places)) return [];
        return [{ path, line: index + 1, what: `there is no ${name}` }];
      });
    });
  });
}

interface Places {
  /** Every file and folder, from the root and, where it is in src, from there. */
  readonly paths: ReadonlySet<string>;
  readonly names: ReadonlySet<string>;
  /** First parts of paths: what begins with one of them and goes on is meant as a path. */
  readonly rooms: ReadonlySet<string>;
}

function placesOf(tree: Tree): Places {
  const paths = new Set<string>();
  const rooms = new Set<string>();
  for (const path of tree.keys()) {
    const starts = path.startsWith("src/") ? [path, path.slice("src/".length)] : [path];
    for (const start of starts) {
      const parts = start.split("/");
      parts.forEach((_, index) => paths.add(parts.slice(0, index + 1).join("/")));
      if (parts.length > 1) rooms.add(parts[0] ?? "");
    }
  }
  return { paths, rooms, names: new Set([...tree.keys()].map((path) => basename(path))) };
}

function claimsAPath(name: string, { rooms }: Places): boolean {
  if (!PATH.test(name)) return false;
  const [room = "", ...rest] = name.split("/");
  return rest.length === 0 ? FILE_NAME.test(name) : rooms.has(room);
}

function exists(name: string, { paths, names }: Places): boolean {
  const isName = !name.includes("/");
  const trimmed = name.replace(/\/$/, "");
  return alternativesOf(trimmed).every((each) => {
    const pattern = new RegExp(`^${patternOf(each)}$`);
    const among = isName ? [...names, ...paths] : [...paths];
    return among.some((path) => pattern.test(path));
  });
}

/** `a/{b,c}.ts` is a/b.ts and a/c.ts. */
function alternativesOf(name: string): string[] {
  const braces = /\{([^{}]*)\}/.exec(name);
  if (braces === null) return [name];
  const [whole, inner = ""] = braces;
  return inner.split(",").flatMap((part) => alternativesOf(name.replace(whole, part)));
}

function patternOf(glob: string): string {
  return glob
    .replaceAll(".", "\\.")
    .replaceAll(/\*\*\/|\*/g, (star) => (star === "*" ? "[^/]*" : "(.*/)?"));
}
