// Paths of inodes, for people: a name of each directory on the way up, found by listings.
import { isDirectory } from "../../domain/attributes.ts";
import { displayName } from "../../domain/name.ts";
import { ROOT_INO, type Ino } from "../../domain/ids.ts";
import type { ReadTransaction } from "../engine/engine.ts";
import { decodeDentry, decodeIndexEntry } from "../schema/directory.ts";
import { firstNumber, keyRanges, keys, nameOfKey } from "../schema/keys.ts";
import { inodeAt } from "./check-names.ts";
import { MAX_NAMES_TRIED, MAX_ROOTED_DIRECTORIES } from "./limits.ts";

interface Place {
  readonly parent: Ino;
  readonly name: string;
}

/**
 * A path of each inode of `inos` that has one, by one walk over all names and one over each
 * directory above. Ask for what is shown: all of it is kept in memory.
 */
export function pathsOf(tx: ReadTransaction, inos: ReadonlySet<Ino>): Map<Ino, string> {
  const paths = new Map<Ino, string>();
  if (inos.has(ROOT_INO)) paths.set(ROOT_INO, "/");
  const places = placesOf(tx, inos);
  const directories = namesOf(tx, parentsAbove(tx, [...places.values()].flat()));
  for (const [ino, tried] of places) {
    for (const place of tried) {
      const path = pathOf(directories, place);
      if (path === undefined) continue;
      paths.set(ino, path);
      break;
    }
  }
  return paths;
}

/** The first names of each. */
function placesOf(tx: ReadTransaction, inos: ReadonlySet<Ino>): Map<Ino, Place[]> {
  const places = new Map<Ino, Place[]>();
  if (inos.size === 0) return places;
  for (const { key, value } of tx.range(keyRanges.allDentries())) {
    const { ino } = decodeDentry(value);
    if (!inos.has(ino)) continue;
    const known = places.get(ino) ?? [];
    places.set(ino, known);
    if (known.length === MAX_NAMES_TRIED) continue;
    known.push({ parent: firstNumber(key) as Ino, name: displayName(nameOfKey(key)) });
  }
  return places;
}

/** Directories below the root on the ways up, by the directory that each says it is in. */
function parentsAbove(tx: ReadTransaction, places: readonly Place[]): Map<Ino, Set<Ino>> {
  const seen = new Set<Ino>([ROOT_INO]);
  const children = new Map<Ino, Set<Ino>>();
  for (let { parent: at } of places) {
    while (!seen.has(at) && seen.size < MAX_ROOTED_DIRECTORIES) {
      seen.add(at);
      const directory = inodeAt(tx, at);
      if (directory === undefined || !isDirectory(directory.mode)) break;
      const siblings = children.get(directory.parent);
      if (siblings === undefined) children.set(directory.parent, new Set([at]));
      else siblings.add(at);
      at = directory.parent;
    }
  }
  return children;
}

/** Where each of these directories stands, if it does. */
function namesOf(
  tx: ReadTransaction,
  children: ReadonlyMap<Ino, ReadonlySet<Ino>>,
): Map<Ino, Place> {
  const places = new Map<Ino, Place>();
  for (const [parent, wanted] of children) {
    let left = wanted.size;
    for (const { value } of tx.range(keyRanges.dirIndexAfter(parent, -1))) {
      const { ino, name } = decodeIndexEntry(value);
      if (!wanted.has(ino) || tx.get(keys.dentry(parent, name)) === undefined) continue;
      places.set(ino, { parent, name: displayName(name) });
      left -= 1;
      if (left === 0) break;
    }
  }
  return places;
}

/** Undefined when it doesn't hang on the root. */
function pathOf(directories: ReadonlyMap<Ino, Place>, { parent, name }: Place): string | undefined {
  const names = [name];
  const seen = new Set<Ino>();
  for (let at = parent; at !== ROOT_INO;) {
    const place = directories.get(at);
    if (place === undefined || seen.has(at)) return undefined;
    seen.add(at);
    names.push(place.name);
    at = place.parent;
  }
  return `/${names.reverse().join("/")}`;
}
