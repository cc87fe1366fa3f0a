// Content: chunks belong to an inode or wait to be reaped, extents are in order and within their
// file; opens, xattrs and the totals are counted right.
import { isRegular, S_IFREG } from "../../domain/attributes.ts";
import { CHUNK_BYTES } from "../../domain/format.ts";
import {
  DEFAULT_POOL,
  ROOT_INO,
  type Ino,
  type SessionId,
  type SliceId,
} from "../../domain/ids.ts";
import type { ReadTransaction } from "../engine/engine.ts";
import { usageOf } from "../namespace/inodes.ts";
import { takenBelow } from "../schema/counters.ts";
import { decodeExtents, type StoredExtent } from "../schema/extents.ts";
import { decodeInode, encodeInode, type Inode } from "../schema/inode.ts";
import {
  chunkOfKey,
  firstNumber,
  keyRanges,
  keys,
  nameOfKey,
  secondNumber,
} from "../schema/keys.ts";
import { decodeOpenCount } from "../schema/open-count.ts";
import { decodeReap, encodeReap } from "../schema/reap.ts";
import { isSessionKnown } from "../schema/session-records.ts";
import { decodeSlice } from "../schema/slice.ts";
import { encodeUnsettled } from "../schema/unsettled.ts";
import { inodeAt } from "./check-names.ts";
import { edit, witness, type Finding } from "./finding.ts";

/** Inodes whose content is kept under another number than their own, by that number. */
function movedData(tx: ReadTransaction): Map<number, Ino> {
  const moved = new Map<number, Ino>();
  for (const { value } of tx.range(keyRanges.inodes())) {
    const { ino, data } = decodeInode(value);
    if (ino !== data) moved.set(data, ino);
  }
  return moved;
}

/** The chunks of one `data`, added up. */
interface Content {
  data: number;
  owner: Inode | undefined;
  allocatedBytes: number;
  endBytes: number;
  pool: number;
}

export function* checkChunks(tx: ReadTransaction): Generator<Finding> {
  const moved = movedData(tx);
  const ownerOf = (data: number): Inode | undefined => {
    const inode = inodeAt(tx, moved.get(data) ?? (data as Ino));
    return inode?.data === data ? inode : undefined;
  };
  let content: Content | undefined;
  for (const { key, value } of tx.range(keyRanges.allChunks())) {
    const data = firstNumber(key);
    if (content !== undefined && content.data !== data) {
      yield* checkOwner(tx, content);
      content = undefined;
    }
    const pool = DEFAULT_POOL;
    content ??= { data, owner: ownerOf(data), allocatedBytes: 0, endBytes: 0, pool };
    yield* addChunk(tx, content, chunkOfKey(key), decodeExtents(value));
  }
  if (content !== undefined) yield* checkOwner(tx, content);
  yield* checkEmptyOnes(tx);
  yield* checkMarked(tx);
  for (const { key } of tx.range(keyRanges.reaps())) {
    const owner = ownerOf(firstNumber(key));
    if (owner === undefined) continue;
    const edits = [edit(tx, key, null), witness(tx, keys.inode(owner.ino))];
    const what = `inode ${owner.ino}: its content is used and waits for deletion at once`;
    yield { what, ino: owner.ino, repair: { how: "it is kept", edits } };
  }
}

function* addChunk(
  tx: ReadTransaction,
  content: Content,
  chunk: number,
  extents: readonly StoredExtent[],
): Generator<Finding> {
  let end = 0;
  for (const { posInChunk, lengthBytes, slice } of extents) {
    if (posInChunk < end || lengthBytes <= 0) {
      yield { what: `data ${content.data}, chunk ${chunk}: its extents overlap` };
    }
    end = posInChunk + lengthBytes;
    content.allocatedBytes += lengthBytes;
    const record = tx.get(keys.slice(slice));
    if (record === undefined) continue;
    const { pool, unsettled } = decodeSlice(record);
    content.pool = pool;
    if (unsettled === true) yield* checkMark(tx, content.owner, slice);
  }
  if (end > CHUNK_BYTES || end === 0) {
    yield { what: `data ${content.data}, chunk ${chunk}: it ends at ${end}` };
  }
  content.endBytes = chunk * CHUNK_BYTES + end;
}

/** Whoever syncs a file must find each slice of it that isn't known to be on disk. */
function* checkMark(
  tx: ReadTransaction,
  owner: Inode | undefined,
  slice: SliceId,
): Generator<Finding> {
  if (owner === undefined) return;
  const { ino } = owner;
  const key = keys.unsettled(ino, slice);
  if (tx.get(key) !== undefined) return;
  const mark = encodeUnsettled({ session: 0 as SessionId, sinceMs: 0 });
  const edits = [edit(tx, key, mark), witness(tx, keys.slice(slice))];
  const what = `inode ${ino}: slice ${slice} may not be on disk, and fsync wouldn't find it`;
  yield { what, ino, repair: { how: "it is marked, and will be brought to disk", edits } };
}

/** An inode without the sign that it has marks is taken for one that is all on disk. */
function* checkMarked(tx: ReadTransaction): Generator<Finding> {
  let last: Ino | undefined;
  for (const { key } of tx.range(keyRanges.allUnsettled(undefined))) {
    const ino = firstNumber(key) as Ino;
    if (ino === last) continue;
    last = ino;
    const inode = inodeAt(tx, ino);
    if (inode === undefined || inode.marked) continue;
    const repaired = encodeInode({ ...inode, marked: true });
    const edits = [edit(tx, keys.inode(ino), repaired), witness(tx, key)];
    const what = `inode ${ino}: it may not be all on disk, and fsync wouldn't look`;
    yield { what, ino, repair: { how: "an fsync looks", edits } };
  }
}

function* checkOwner(
  tx: ReadTransaction,
  { data, owner, allocatedBytes, endBytes, pool }: Content,
): Generator<Finding> {
  if (owner !== undefined) {
    if (endBytes > owner.sizeBytes) {
      const edits = [
        edit(
          tx,
          keys.inode(owner.ino),
          encodeInode({ ...owner, sizeBytes: endBytes, allocatedBytes }),
        ),
      ];
      const what = `inode ${owner.ino}: its content goes on behind its end, ${owner.sizeBytes}`;
      yield { what, ino: owner.ino, repair: { how: `its size is set to ${endBytes}`, edits } };
    } else if (owner.allocatedBytes !== allocatedBytes)
      yield wrongAllocation(tx, owner, allocatedBytes);
    return;
  }
  if (tx.get(keys.reap(data)) !== undefined) return;
  if (inodeAt(tx, data as Ino) !== undefined) {
    const edits = [
      edit(tx, keys.reap(data), encodeReap({ xattrsOf: undefined })),
      witness(tx, keys.inode(data as Ino)),
    ];
    const what = `data ${data}: its inode has other content, and nothing deletes this one`;
    yield { what, repair: { how: "it is deleted", edits } };
    return;
  }
  const inode = fileFor(data as Ino, endBytes, allocatedBytes, pool);
  const edits = [edit(tx, keys.inode(inode.ino), encodeInode(inode))];
  const how = "a file of root with this content is made, under its name if there is one";
  const usage = { inodes: 1, bytes: allocatedBytes };
  yield { what: `data ${data} is nobody's: its inode is gone`, repair: { how, edits, usage } };
}

/** What can be said of a file of which only the content is left. */
function fileFor(ino: Ino, sizeBytes: number, allocatedBytes: number, pool: number): Inode {
  return {
    ino,
    mode: S_IFREG | 0o600,
    nlink: 1,
    uid: 0,
    gid: 0,
    rdev: 0,
    sizeBytes,
    allocatedBytes,
    atimeSec: 0,
    atimeNsec: 0,
    mtimeSec: 0,
    mtimeNsec: 0,
    ctimeSec: 0,
    ctimeNsec: 0,
    parent: 0 as Ino,
    data: ino,
    pool: pool as Inode["pool"],
    opens: 0,
    xattrListBytes: 0,
    marked: false,
    acls: 0,
  };
}

function wrongAllocation(tx: ReadTransaction, inode: Inode, allocatedBytes: number): Finding {
  const edits = [edit(tx, keys.inode(inode.ino), encodeInode({ ...inode, allocatedBytes }))];
  const what = `inode ${inode.ino}: ${inode.allocatedBytes} bytes allocated, not ${allocatedBytes}`;
  return { what, ino: inode.ino, repair: { how: "its figure is set right", edits } };
}

/** Inodes that say they have content, and have no chunk. */
function* checkEmptyOnes(tx: ReadTransaction): Generator<Finding> {
  for (const { value } of tx.range(keyRanges.inodes())) {
    const inode = decodeInode(value);
    if (inode.allocatedBytes === 0) continue;
    // Nearly all have a first chunk, which is looked up faster than a range begins.
    if (tx.get(keys.chunk(inode.data, 0)) !== undefined) continue;
    const [first] = tx.range({ ...keyRanges.chunks(inode.data), limit: 1 });
    if (first === undefined) yield wrongAllocation(tx, inode, 0);
  }
}

export function* checkOpens(tx: ReadTransaction): Generator<Finding> {
  const opens = new Map<Ino, number>();
  for (const { key, value } of tx.range(keyRanges.opens())) {
    const session = firstNumber(key) as SessionId;
    const ino = secondNumber(key) as Ino;
    const count = decodeOpenCount(value);
    if (count > 0 && inodeAt(tx, ino) !== undefined && isSessionKnown(tx, session)) {
      opens.set(ino, (opens.get(ino) ?? 0) + count);
      continue;
    }
    const what = `session ${session}, which may be gone, holds inode ${ino} open ${count} times`;
    const edits = [edit(tx, key, null)];
    yield { what, repair: { how: "it no longer does", edits } };
  }
  for (const { value } of tx.range(keyRanges.inodes())) {
    const inode = decodeInode(value);
    const counted = opens.get(inode.ino) ?? 0;
    if (inode.opens === counted) continue;
    const edits = [edit(tx, keys.inode(inode.ino), encodeInode({ ...inode, opens: counted }))];
    const what = `inode ${inode.ino}: open ${inode.opens} times by its count, ${counted} in truth`;
    yield { what, ino: inode.ino, repair: { how: `its count is set to ${counted}`, edits } };
  }
}

export function* checkXattrs(tx: ReadTransaction): Generator<Finding> {
  const reaped = new Set<Ino | undefined>();
  for (const { value } of tx.range(keyRanges.reaps())) reaped.add(decodeReap(value).xattrsOf);
  let at: { ino: Ino; listBytes: number } | undefined;
  for (const { key } of tx.range(keyRanges.allXattrs())) {
    const ino = firstNumber(key) as Ino;
    if (at?.ino !== ino) {
      if (at !== undefined) yield* checkListBytes(tx, at.ino, at.listBytes);
      at = { ino, listBytes: 0 };
    }
    at.listBytes += nameOfKey(key).length + 1;
    if (inodeAt(tx, ino) !== undefined || reaped.has(ino)) continue;
    const edits = [edit(tx, key, null), witness(tx, keys.inode(ino))];
    const what = `an extended attribute of inode ${ino}, which is gone`;
    yield { what, repair: { how: "it is removed", edits } };
  }
  if (at !== undefined) yield* checkListBytes(tx, at.ino, at.listBytes);
  for (const { value } of tx.range(keyRanges.inodes())) {
    const { ino, xattrListBytes } = decodeInode(value);
    if (xattrListBytes === 0) continue;
    const [first] = tx.range({ ...keyRanges.xattrs(ino), limit: 1 });
    if (first === undefined) yield* checkListBytes(tx, ino, 0);
  }
}

function* checkListBytes(tx: ReadTransaction, ino: Ino, listBytes: number): Generator<Finding> {
  const inode = inodeAt(tx, ino);
  if (inode === undefined || inode.xattrListBytes === listBytes) return;
  const changed = encodeInode({ ...inode, xattrListBytes: listBytes });
  const edits = [edit(tx, keys.inode(ino), changed)];
  const what = `inode ${ino}: xattr list bytes ${inode.xattrListBytes}, not ${listBytes}`;
  yield { what, ino, repair: { how: "its figure is set right", edits } };
}

export function* checkTotals(tx: ReadTransaction): Generator<Finding> {
  let inodes = 0;
  let bytes = 0;
  let highest = ROOT_INO as number;
  for (const { value } of tx.range(keyRanges.inodes())) {
    const inode = decodeInode(value);
    inodes += 1;
    bytes += inode.allocatedBytes;
    highest = Math.max(highest, inode.ino, isRegular(inode.mode) ? inode.data : 0);
  }
  const told = usageOf(tx);
  if (told.inodes !== inodes || told.bytes !== bytes) {
    const usage = { inodes: inodes - told.inodes, bytes: bytes - told.bytes };
    const what =
      `the totals say ${told.inodes} inodes with ${told.bytes} bytes; ` +
      `there are ${inodes} with ${bytes}`;
    yield { what, repair: { how: "they are set right", edits: [], usage } };
  }
  const next = takenBelow(tx, "ids");
  if (next !== undefined && highest >= next) {
    yield { what: `inode ${highest} is beyond the counter ${next} that numbers come from` };
  }
}
