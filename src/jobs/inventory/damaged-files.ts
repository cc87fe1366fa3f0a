// Which files the bytes of some slices belong to, by walks over all metadata: for the few slices
// that are damaged.
import { ROOT_INO, type Ino, type SliceId } from "../../domain/ids.ts";
import type { ReadTransaction } from "../../meta/engine/engine.ts";
import { pathsOf } from "../../meta/fsck/paths.ts";
import { decodeExtents } from "../../meta/schema/extents.ts";
import { decodeInode } from "../../meta/schema/inode.ts";
import { firstNumber, keyRanges } from "../../meta/schema/keys.ts";
import { decodeSlice } from "../../meta/schema/slice.ts";
import { MAX_NAMED_FILES } from "../limits.ts";

export interface DamagedFile {
  readonly ino: Ino;
  /** Absent: it has no name; some program holds it open, or held it. */
  readonly path?: string;
}

export interface DamagedFiles {
  readonly count: number;
  /** The first of them. */
  readonly files: readonly DamagedFile[];
}

/** Files that cite one of `slices`, or a slice that is packed into one of them. */
export function filesOf(tx: ReadTransaction, slices: ReadonlySet<SliceId>): DamagedFiles {
  if (slices.size === 0) return { count: 0, files: [] };
  const damaged = new Set(slices);
  for (const { key, value } of tx.range(keyRanges.allSlices())) {
    const { packed } = decodeSlice(value);
    if (packed !== undefined && slices.has(packed.id)) damaged.add(firstNumber(key) as SliceId);
  }
  const data = new Set<number>();
  for (const { key, value } of tx.range(keyRanges.allChunks())) {
    if (decodeExtents(value).some(({ slice }) => damaged.has(slice))) data.add(firstNumber(key));
  }
  const named = new Set<Ino>();
  let count = 0;
  for (const { value } of tx.range(keyRanges.inodes())) {
    const inode = decodeInode(value);
    if (inode.ino === ROOT_INO || !data.has(inode.data)) continue;
    count += 1;
    if (named.size < MAX_NAMED_FILES) named.add(inode.ino);
  }
  const paths = pathsOf(tx, named);
  const files = [...named].map((ino) => {
    const path = paths.get(ino);
    return path === undefined ? { ino } : { ino, path };
  });
  return { count, files };
}
