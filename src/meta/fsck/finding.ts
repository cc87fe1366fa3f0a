// What a check of the metadata finds, and how a repair of it is carried out: only where everything
// still is as the check saw it.
import { FsError } from "../../domain/errno.ts";
import type { Ino, SliceId } from "../../domain/ids.ts";
import type { Key, ReadTransaction, Transaction } from "../engine/engine.ts";
import { adjustUsage } from "../namespace/inodes.ts";
import { buryUncited } from "../namespace/slices.ts";

/** One record as it was seen (null: there was none), and as it is to be (null: none). */
export interface Edit {
  readonly key: Key;
  readonly expected: Uint8Array | null;
  readonly value: Uint8Array | null;
}

/** What makes a finding right. */
export interface Repair {
  /** For people, as in "its link count is set to 2". */
  readonly how: string;
  readonly edits: readonly Edit[];
  /** Slices that nothing cites: they go to gc. */
  readonly bury?: readonly SliceId[];
  /** Added to the running totals. */
  readonly usage?: { readonly inodes: number; readonly bytes: number };
}

export interface Finding {
  /** For people: what is wrong. */
  readonly what: string;
  /** The inode concerned, whose path people may want. */
  readonly ino?: Ino;
  /** Absent: nothing that is left says how it was. */
  readonly repair?: Repair;
}

/** Kinds of keys that repairs change; nothing else keeps what they have in memory. */
const REPAIRED_KINDS = "cdeghilorsux";

/**
 * @returns false when something is no longer as the check saw it; nothing is changed then
 * @throws FsError EINVAL when it is no repair of the namespace
 */
export function applyRepair(tx: Transaction, { edits, bury = [], usage }: Repair): boolean {
  for (const { key } of edits) {
    if (REPAIRED_KINDS.includes(String.fromCharCode(key[0] ?? 0))) continue;
    throw new FsError("EINVAL", "a repair changes records of the namespace only");
  }
  if (!edits.every((edit) => stillIs(tx, edit))) return false;
  for (const { key, value } of edits) {
    if (value === null) tx.delete(key);
    else tx.put(key, value);
  }
  for (const slice of bury) buryUncited(tx, slice);
  if (usage !== undefined) adjustUsage(tx, usage.inodes, usage.bytes);
  return true;
}

function stillIs(tx: ReadTransaction, { key, expected }: Edit): boolean {
  const now = tx.get(key);
  if (now === undefined || expected === null) return now === undefined && expected === null;
  return Buffer.compare(now, expected) === 0;
}

/** The edit that replaces or removes what `tx` has under `key`, or puts it where nothing is. */
export function edit(tx: ReadTransaction, key: Key, value: Uint8Array | null): Edit {
  return { key, expected: tx.get(key) ?? null, value };
}

/** The edit that only says that a record must still be as it is. */
export function witness(tx: ReadTransaction, key: Key): Edit {
  const expected = tx.get(key) ?? null;
  return { key, expected, value: expected };
}
