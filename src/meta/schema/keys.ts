// Every key of the metadata store, and nothing else: one letter for the kind, then big-endian
// numbers and raw bytes, so that ranges sort. Numbers take 8 bytes unless said otherwise.
//
//   key                          value (records.ts and its neighbours say how it is coded)
//   a name                       counter (counters.ts); "namespace" is of another shape (totals.ts)
//   c data chunk(4)              extents of one chunk of the data `data`, an inode's `data` field
//   d parent name                dentry: ino, type, cookie
//   e parent cookie              directory order: name, ino, type; what readdir pages through
//   g slice                      tombstone of a slice with shards: pool, length, death number
//   h death                      the slice that died then
//   i ino                        inode: attributes and what the server keeps beside them
//   k ino                        locks of the inode, flock and fcntl
//   l ino                        symlink target
//   o session ino                how often the session holds the inode open
//   r data                       data (and xattrs) of a deleted inode, or cut off by a truncate,
//                                waiting to be reaped step by step
//   s slice                      slice: references, pool, length, inline bytes or packed place
//   u ino slice                  slice that the inode cites and nobody has shown to be on disk on
//                                the nodes: which session brought it, and when
//   x ino name                   extended attribute
//   A epoch                      cluster map
//   B number                     copy of the metadata on the storage nodes
//   D pool(2) pg(4)              damage reported of a placement group, nodes in doubt
//   E first                      slice ids first… of sessions that have ended
//   G pool(2) pg(4)              placement group: clean epoch, progress of its repair
//   H id                         storage node: deaths of which it has no shards left
//   K session ino                the session has locks on the inode
//   N id                         storage node
//   Q session first              slice ids first… were handed to the session; which are over
//   R session slot(2)            reply slot: the last answer to a mutating request
//   S session                    session
//   T hash                       access token
//   U name                       user
//   V name                       setting
import type { Epoch, Ino, NodeId, PoolId, SessionId, SliceId } from "../../domain/ids.ts";
import type { Key } from "../engine/engine.ts";

const TWO_32 = 2 ** 32;

function writeNumber(target: Buffer, value: number, offset: number): void {
  target.writeUInt32BE(Math.floor(value / TWO_32), offset);
  target.writeUInt32BE(value % TWO_32, offset + 4);
}

function readNumber(key: Uint8Array, offset: number): number {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return view.getUint32(offset) * TWO_32 + view.getUint32(offset + 4);
}

function prefix(kind: string): Buffer {
  return Buffer.from(kind, "latin1");
}

function numberKey(kind: string, value: number): Buffer {
  const key = Buffer.allocUnsafe(9);
  key[0] = kind.charCodeAt(0);
  writeNumber(key, value, 1);
  return key;
}

function pairKey(kind: string, first: number, second: number): Buffer {
  const key = Buffer.allocUnsafe(17);
  key[0] = kind.charCodeAt(0);
  writeNumber(key, first, 1);
  writeNumber(key, second, 9);
  return key;
}

function namedKey(kind: string, owner: number, name: string): Buffer {
  const key = Buffer.allocUnsafe(9 + name.length);
  key[0] = kind.charCodeAt(0);
  writeNumber(key, owner, 1);
  key.write(name, 9, "latin1");
  return key;
}

function textKey(kind: string, text: string): Buffer {
  return Buffer.from(kind + text, "latin1");
}

function groupKey(kind: string, pool: PoolId, pg: number): Buffer {
  const key = Buffer.allocUnsafe(7);
  key[0] = kind.charCodeAt(0);
  key.writeUInt16BE(pool, 1);
  key.writeUInt32BE(pg, 3);
  return key;
}

/** Builders of keys. Text (names, ids, hashes) is latin1: a character a byte. */
export const keys = {
  counter: (name: string): Key => textKey("a", name),
  chunk(data: number, chunk: number): Key {
    const key = Buffer.allocUnsafe(13);
    key[0] = 0x63;
    writeNumber(key, data, 1);
    key.writeUInt32BE(chunk, 9);
    return key;
  },
  dentry: (parent: Ino, name: string): Key => namedKey("d", parent, name),
  dirIndex: (parent: Ino, cookie: number): Key => pairKey("e", parent, cookie),
  tombstone: (slice: SliceId): Key => numberKey("g", slice),
  death: (death: number): Key => numberKey("h", death),
  inode: (ino: Ino): Key => numberKey("i", ino),
  locks: (ino: Ino): Key => numberKey("k", ino),
  symlink: (ino: Ino): Key => numberKey("l", ino),
  sessionOpen: (session: SessionId, ino: Ino): Key => pairKey("o", session, ino),
  reap: (data: number): Key => numberKey("r", data),
  slice: (slice: SliceId): Key => numberKey("s", slice),
  unsettled: (ino: Ino, slice: SliceId): Key => pairKey("u", ino, slice),
  xattr: (ino: Ino, name: string): Key => namedKey("x", ino, name),

  clusterMap: (epoch: Epoch): Key => numberKey("A", epoch),
  copy: (number: number): Key => numberKey("B", number),
  damage: (pool: PoolId, pg: number): Key => groupKey("D", pool, pg),
  endedRange: (first: SliceId): Key => numberKey("E", first),
  group: (pool: PoolId, pg: number): Key => groupKey("G", pool, pg),
  gcProgress: (node: NodeId): Key => textKey("H", node),
  sessionLock: (session: SessionId, ino: Ino): Key => pairKey("K", session, ino),
  node: (id: NodeId): Key => textKey("N", id),
  sliceRange: (session: SessionId, first: SliceId): Key => pairKey("Q", session, first),
  replySlot(session: SessionId, slot: number): Key {
    const key = Buffer.allocUnsafe(11);
    key[0] = 0x52;
    writeNumber(key, session, 1);
    key.writeUInt16BE(slot, 9);
    return key;
  },
  session: (session: SessionId): Key => numberKey("S", session),
  token: (hash: string): Key => textKey("T", hash),
  user: (name: string): Key => textKey("U", name),
  setting: (name: string): Key => textKey("V", name),
};

export interface KeyRange {
  start: Key;
  end: Key;
}

/** The range of all keys that begin with `head`. */
export function keysUnder(head: Uint8Array): KeyRange {
  const end = Buffer.from(head);
  let last = end.length - 1;
  while (last >= 0 && end[last] === 0xff) last -= 1;
  end[last] = (end[last] ?? 0) + 1;
  return { start: head, end: end.subarray(0, last + 1) };
}

/** Ranges of all keys of a kind, or of a kind and an owner. */
export const keyRanges = {
  chunks: (data: number): KeyRange => keysUnder(numberKey("c", data)),
  chunksFrom: (data: number, chunk: number): KeyRange => ({
    start: keys.chunk(data, chunk),
    end: keysUnder(numberKey("c", data)).end,
  }),
  /** Chunks `first` to `last`. */
  chunksBetween: (data: number, first: number, last: number): KeyRange => ({
    start: keys.chunk(data, first),
    end: keys.chunk(data, last + 1),
  }),
  dirIndexAfter: (parent: Ino, cookie: number): KeyRange => ({
    start: keys.dirIndex(parent, cookie + 1),
    end: keysUnder(numberKey("e", parent)).end,
  }),
  allDentries: (): KeyRange => keysUnder(prefix("d")),
  allDirIndexes: (): KeyRange => keysUnder(prefix("e")),
  inodes: (): KeyRange => keysUnder(prefix("i")),
  symlinks: (): KeyRange => keysUnder(prefix("l")),
  opens: (): KeyRange => keysUnder(prefix("o")),
  allXattrs: (): KeyRange => keysUnder(prefix("x")),
  allChunks: (): KeyRange => keysUnder(prefix("c")),
  allSlices: (): KeyRange => keysUnder(prefix("s")),
  tombstones: (): KeyRange => keysUnder(prefix("g")),
  deaths: (): KeyRange => keysUnder(prefix("h")),
  reaps: (): KeyRange => keysUnder(prefix("r")),
  sessionOpens: (session: SessionId): KeyRange => keysUnder(numberKey("o", session)),
  /** Unsettled slices of one inode, and of all, behind a place. */
  unsettledOf: (ino: Ino, after: SliceId): KeyRange => ({
    start: pairKey("u", ino, after + 1),
    end: keysUnder(numberKey("u", ino)).end,
  }),
  allUnsettled: (after: { ino: Ino; slice: SliceId } | undefined): KeyRange => ({
    start: after === undefined ? prefix("u") : pairKey("u", after.ino, after.slice + 1),
    end: keysUnder(prefix("u")).end,
  }),
  xattrs: (ino: number): KeyRange => keysUnder(numberKey("x", ino)),

  copies: (): KeyRange => keysUnder(prefix("B")),
  clusterMaps: (): KeyRange => keysUnder(prefix("A")),
  damages: (): KeyRange => keysUnder(prefix("D")),
  endedRanges: (): KeyRange => keysUnder(prefix("E")),
  groups: (): KeyRange => keysUnder(prefix("G")),
  sessionLocks: (session: SessionId): KeyRange => keysUnder(numberKey("K", session)),
  nodes: (): KeyRange => keysUnder(prefix("N")),
  sliceRanges: (session: SessionId): KeyRange => keysUnder(numberKey("Q", session)),
  replySlots: (session: SessionId): KeyRange => keysUnder(numberKey("R", session)),
  sessions: (): KeyRange => keysUnder(prefix("S")),
  tokens: (): KeyRange => keysUnder(prefix("T")),
  users: (): KeyRange => keysUnder(prefix("U")),
  settings: (): KeyRange => keysUnder(prefix("V")),
};

/** The number behind a key's letter: ino, session, slice, epoch, parent… */
export function firstNumber(key: Key): number {
  return readNumber(key, 1);
}

/** The second number of a key of two: cookie, ino of sessionOpen, slice, first of sliceRange. */
export function secondNumber(key: Key): number {
  return readNumber(key, 9);
}

/** Chunk index of a `chunk` key. */
export function chunkOfKey(key: Key): number {
  return new DataView(key.buffer, key.byteOffset, key.byteLength).getUint32(9);
}

/** Pool and placement group of a `group` or `damage` key. */
export function groupOfKey(key: Key): { pool: PoolId; pg: number } {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength);
  return { pool: view.getUint16(1) as PoolId, pg: view.getUint32(3) };
}

/** Name of a `dentry` or `xattr` key, latin1. */
export function nameOfKey(key: Key): string {
  return latin1(key, 9);
}

function latin1(bytes: Uint8Array, from: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1", from);
}
