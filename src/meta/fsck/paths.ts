// Paths of inodes, for people: a name of each directory on the way up, found by listings.
import { isDirectory } from "../../domain/attributes.ts";
import { displayName } from "../../domain/name.ts";
import { ROOT_INO, type Ino } from "../../domain/ids.ts";
import type { ReadTransaction } from "../engine/engine.ts";
import { decodeDentry } from "../schema/directory.ts";
import { firstNumber, keyRanges, nameOfKey } from "../schema/keys.ts";
import { entryOf, inodeAt } from "./check-names.ts";

/** The path of a directory; undefined when it doesn't hang on the root. */
export function directoryPath(tx: ReadTransaction, ino: Ino): string | undefined {
  const names: string[] = [];
  const seen = new Set<Ino>();
  for (let at = ino; at !== ROOT_INO;) {
    const directory = inodeAt(tx, at);
    if (directory === undefined || !isDirectory(directory.mode) || seen.has(at)) return undefined;
    seen.add(at);
    const name = entryOf(tx, directory.parent, at);
    if (name === undefined) return undefined;
    names.unshift(displayName(name));
    at = directory.parent;
  }
  return `/${names.join("/")}`;
}

/**
 * A path of each inode of `inos` that has one, by one walk over all names.
 */
export function pathsOf(tx: ReadTransaction, inos: ReadonlySet<Ino>): Map<Ino, string> {
  const paths = new Map<Ino, string>();
  if (inos.has(ROOT_INO)) paths.set(ROOT_INO, "/");
  for (const { key, value } of tx.range(keyRanges.allDentries())) {
    const { ino } = decodeDentry(value);
    if (!inos.has(ino) || paths.has(ino)) continue;
    const directory = directoryPath(tx, firstNumber(key) as Ino);
    if (directory === undefined) continue;
    const name = displayName(nameOfKey(key));
    paths.set(ino, directory === "/" ? `/${name}` : `${directory}/${name}`);
    if (paths.size === inos.size) break;
  }
  return paths;
}
