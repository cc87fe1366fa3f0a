// Directory pages in the order of cookies: every entry that stays is listed once, whatever comes
// and goes.
import { MAX_READDIR_ENTRIES } from "../../protocol/meta/limits.ts";
import type { DirEntry, DirPage } from "../../protocol/meta/meta-service.ts";
import type { ReadTransaction } from "../engine/engine.ts";
import { decodeIndexEntry } from "../schema/directory.ts";
import { attrOf, type Inode } from "../schema/inode.ts";
import { keyRanges, secondNumber } from "../schema/keys.ts";
import { loadInode } from "./inodes.ts";

/** Up to `limit` entries (at most MAX_READDIR_ENTRIES) after `cursor`. */
export function listDirectory(
  tx: ReadTransaction,
  directory: Inode,
  cursor: number,
  limit: number,
  withAttrs: boolean,
): DirPage {
  const entries: DirEntry[] = [];
  const count = Math.max(1, Math.min(limit, MAX_READDIR_ENTRIES));
  const range = keyRanges.dirIndexAfter(directory.ino, cursor);
  let more = false;
  for (const { key, value } of tx.range({ ...range, limit: count + 1 })) {
    more = entries.length === count;
    if (more) break;
    const { name, ino: entryIno, type } = decodeIndexEntry(value);
    entries.push({ name, ino: entryIno, mode: type, cookie: secondNumber(key) });
  }
  const { parent } = directory;
  const attr = attrOf(directory);
  if (!withAttrs) return { entries, more, attr, parent };
  return { entries: entries.map((entry) => withAttr(tx, entry)), more, attr, parent };
}

function withAttr(tx: ReadTransaction, entry: DirEntry): DirEntry {
  const attr = attrOf(loadInode(tx, entry.ino));
  return { ...entry, mode: attr.mode, attr };
}
