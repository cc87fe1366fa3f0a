// The end of inodes: small ones go at once, the chunks and xattrs of others step by step.
import { chunkIndex } from "../../domain/layout.ts";
import { isRegular, isSymlink } from "../../domain/attributes.ts";
import type { Ino } from "../../domain/ids.ts";
import { CHUNK_BYTES } from "../../domain/format.ts";
import { MAX_EXTENTS_DELETED_AT_ONCE } from "./limits.ts";
import type { Transaction } from "../engine/engine.ts";
import { decodeExtents, extentCount, spliceExtents } from "../schema/extents.ts";
import type { Inode } from "../schema/inode.ts";
import { firstNumber, keyRanges, keys } from "../schema/keys.ts";
import { decodeReap, encodeReap } from "../schema/reap.ts";
import { adjustUsage } from "./inodes.ts";
import { CitationChanges } from "./slices.ts";

/** Deletes an inode that has neither name nor opens; large content is left to the reaper. */
export function destroyInode(tx: Transaction, inode: Inode): void {
  tx.delete(keys.inode(inode.ino));
  adjustUsage(tx, -1, -inode.allocatedBytes);
  if (isSymlink(inode.mode)) tx.delete(keys.symlink(inode.ino));
  const dataGone = !isRegular(inode.mode) || deleteSmallData(tx, inode);
  const xattrs = inode.xattrListBytes > 0;
  if (!dataGone || xattrs) queueReap(tx, inode.data, xattrs ? inode.ino : undefined);
}

/** @returns false where the content is too much for one transaction */
function deleteSmallData(tx: Transaction, inode: Inode): boolean {
  if (inode.allocatedBytes === 0) return true;
  if (inode.sizeBytes > CHUNK_BYTES) return false;
  const key = keys.chunk(inode.data, chunkIndex(0));
  const record = tx.get(key);
  if (extentCount(record) > MAX_EXTENTS_DELETED_AT_ONCE) return false;
  const citations = new CitationChanges();
  citations.add(decodeExtents(record), -1);
  citations.apply(tx);
  tx.delete(key);
  return true;
}

/** Leaves chunks kept under `data`, and all xattrs of `xattrsOf`, to the reaper. */
export function queueReap(tx: Transaction, data: number, xattrsOf: Ino | undefined): void {
  tx.put(keys.reap(data), encodeReap({ xattrsOf }));
}

/**
 * Deletes up to `limit` extents and xattrs of what waits to be reaped.
 * @returns how much was done; 0 when nothing waits
 */
export function reapStep(tx: Transaction, limit: number): number {
  let done = 0;
  for (const { key, value } of [...tx.range({ ...keyRanges.reaps(), limit })]) {
    const data = firstNumber(key);
    done += reapChunks(tx, data, limit - done);
    const { xattrsOf } = decodeReap(value);
    if (done < limit && xattrsOf !== undefined) done += reapXattrs(tx, xattrsOf, limit - done);
    if (done >= limit) return done;
    tx.delete(key);
    done += 1;
    if (done >= limit) return done;
  }
  return done;
}

function reapChunks(tx: Transaction, data: number, limit: number): number {
  const citations = new CitationChanges();
  let done = 0;
  for (const { key, value } of [...tx.range({ ...keyRanges.chunks(data), limit })]) {
    const extents = decodeExtents(value);
    const last = extents[limit - done - 1];
    if (extents.length > limit - done && last !== undefined) {
      const cut = spliceExtents(value, 0, last.posInChunk + last.lengthBytes, undefined);
      citations.add(cut.removed, -1);
      tx.put(key, cut.record);
      done = limit;
    } else {
      citations.add(extents, -1);
      tx.delete(key);
      done += Math.max(1, extents.length);
    }
    if (done >= limit) break;
  }
  citations.apply(tx);
  return done;
}

function reapXattrs(tx: Transaction, ino: Ino, limit: number): number {
  const found = [...tx.range({ ...keyRanges.xattrs(ino), limit })];
  for (const { key } of found) tx.delete(key);
  return found.length;
}
