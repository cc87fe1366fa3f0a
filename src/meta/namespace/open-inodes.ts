// Which session holds which inode open how often; unlinked inodes live until the last release.
import { withoutPrivileges } from "../../domain/attribute-rules.ts";
import { FsError } from "../../domain/errno.ts";
import type { Ino, SessionId } from "../../domain/ids.ts";
import { MAX_RELEASES_AT_ONCE } from "../engine/limits.ts";
import type { OpenAccess, OpenReply } from "../../protocol/meta/meta-service.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import { attrOf, type Inode } from "../schema/inode.ts";
import { keyRanges, keys, secondNumber } from "../schema/keys.ts";
import { decodeOpenCount, encodeOpenCount } from "../schema/open-count.ts";
import { extentsOf, truncateInode } from "./data.ts";
import { requireRegular } from "./entries.ts";
import { loadInode, saveInode, stampContent, type Making } from "./inodes.ts";
import {
  isRoot,
  MAY_EXECUTE,
  MAY_READ,
  MAY_WRITE,
  requireAccess,
} from "../../domain/permission.ts";
import { destroyInode } from "./reaper.ts";

export function openInode(
  tx: Transaction,
  session: SessionId,
  { caller, now, ids }: Making,
  ino: Ino,
  access: OpenAccess,
): Inode {
  const inode = loadInode(tx, ino);
  requireRegular(inode);
  const writes = access.write || access.truncate;
  const reads = access.execute === true ? MAY_EXECUTE : access.read ? MAY_READ : 0;
  requireAccess(caller, inode, reads | (writes ? MAY_WRITE : 0));
  if (access.truncate) {
    truncateInode(tx, inode, 0, ids);
    if (!isRoot(caller)) inode.mode = withoutPrivileges(inode.mode);
    stampContent(inode, now);
  }
  holdOpen(tx, session, inode);
  return inode;
}

/** Counts one more open, and saves the inode. */
export function holdOpen(tx: Transaction, session: SessionId, inode: Inode): void {
  const key = keys.sessionOpen(session, inode.ino);
  tx.put(key, encodeOpenCount(decodeOpenCount(tx.get(key)) + 1));
  inode.opens += 1;
  saveInode(tx, inode);
}

export function openReply(tx: ReadTransaction, inode: Inode): OpenReply {
  const firstChunk =
    inode.allocatedBytes === 0
      ? { chunk: 0, extents: [] }
      : (extentsOf(tx, inode, [0])[0] ?? { chunk: 0, extents: [] });
  return { attr: attrOf(inode), firstChunk, pool: inode.pool };
}

/** Takes one open of the session off the inode; one that it doesn't hold is passed over. */
export function releaseInode(tx: Transaction, session: SessionId, ino: Ino): void {
  const key = keys.sessionOpen(session, ino);
  const count = decodeOpenCount(tx.get(key));
  if (count === 0) return;
  if (count === 1) tx.delete(key);
  else tx.put(key, encodeOpenCount(count - 1));
  dropOpens(tx, ino, 1);
}

/**
 * Releases what a dead session holds open, a bounded part a call. The session's own records are not
 * touched.
 * @returns true when nothing is left; call again, in another transaction, until then
 */
export function closeSessionOpens(tx: Transaction, session: SessionId): boolean {
  const range = keyRanges.sessionOpens(session);
  const held = [...tx.range({ ...range, limit: MAX_RELEASES_AT_ONCE })];
  for (const { key, value } of held) {
    tx.delete(key);
    dropOpens(tx, secondNumber(key) as Ino, decodeOpenCount(value));
  }
  return held.length < MAX_RELEASES_AT_ONCE;
}

function dropOpens(tx: Transaction, ino: Ino, count: number): void {
  const inode = loadInode(tx, ino);
  if (inode.opens < count) throw new FsError("EIO", `inode ${ino} is open less than it is held`);
  inode.opens -= count;
  if (inode.nlink === 0 && inode.opens === 0) destroyInode(tx, inode);
  else saveInode(tx, inode);
}
