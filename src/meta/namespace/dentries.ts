// Dentries with their places in the directory index: find, add, remove. No permissions, no inodes.
import { FsError } from "../../domain/errno.ts";
import type { Ino, Name } from "../../domain/ids.ts";
import { toName } from "../../domain/name.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import { decodeDentry, encodeDentry, encodeIndexEntry, type Dentry } from "../schema/directory.ts";
import { keyRanges, keys } from "../schema/keys.ts";

/**
 * @returns undefined where the directory has no such entry
 * @throws FsError ENAMETOOLONG
 */
export function findDentry(tx: ReadTransaction, parent: Ino, name: Name): Dentry | undefined {
  const record = tx.get(keys.dentry(parent, toName(name)));
  return record === undefined ? undefined : decodeDentry(record);
}

/** @throws FsError ENOENT, ENAMETOOLONG */
export function requireDentry(tx: ReadTransaction, parent: Ino, name: Name): Dentry {
  const dentry = findDentry(tx, parent, name);
  if (dentry === undefined) throw new FsError("ENOENT", "no such entry in the directory");
  return dentry;
}

/** Adds the entry, or points an existing one of the same cookie at another inode. */
export function putDentry(tx: Transaction, parent: Ino, name: Name, dentry: Dentry): void {
  const { ino, type, cookie } = dentry;
  tx.put(keys.dentry(parent, name), encodeDentry(dentry));
  tx.put(keys.dirIndex(parent, cookie), encodeIndexEntry({ ino, type, name }));
}

export function removeDentry(tx: Transaction, parent: Ino, name: Name, dentry: Dentry): void {
  tx.delete(keys.dentry(parent, name));
  tx.delete(keys.dirIndex(parent, dentry.cookie));
}

export function isEmptyDirectory(tx: ReadTransaction, ino: Ino): boolean {
  const [first] = tx.range({ ...keyRanges.dirIndexAfter(ino, 0), limit: 1 });
  return first === undefined;
}

/** "." and ".." are the client's to resolve; here they name nothing that could be changed. */
export function isDots(name: Name): boolean {
  return name === "." || name === "..";
}
