// The values of the namespace as they travel: positional arrays, every field checked when read.
// Numbers are safe integers. The order of fields belongs to RPC_VERSION.
import type { Attr, AttrChanges, Caller, StatFs, Timespec } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import type { Ino, Name, PoolId, SliceId } from "../../domain/ids.ts";
import type { Extent, SliceLocation } from "../../domain/layout.ts";
import { MAX_NAME_BYTES } from "../../domain/limits.ts";
import { toName } from "../../domain/name.ts";
import {
  malformed,
  readBytes,
  readCount,
  readFlag,
  readInteger,
  readList,
  readText,
  type Codec,
} from "../rpc/wire-readers.ts";
import type { ChunkExtents, CreateReply, DirEntry, DirPage, OpenReply } from "./meta-service.ts";

/** Supplementary groups Linux allows a process (NGROUPS_MAX). */
const MAX_GROUPS = 65_536;
/** A UTF-16 unit that is no byte. */
const BEYOND_LATIN1 = /[\u0100-\uffff]/;

export function readIno(value: unknown): Ino {
  return readCount(value, "inode number") as Ino;
}

/** Bytes as text, one character a byte. */
function readLatin1(value: unknown, maxChars: number, what: string): string {
  const text = readText(value, maxChars, what);
  if (BEYOND_LATIN1.test(text)) throw malformed(what);
  return text;
}

/** @throws FsError EINVAL, ENAMETOOLONG as a local file system would answer */
export function readName(value: unknown): Name {
  if (typeof value !== "string") throw malformed("name");
  if (value.length <= MAX_NAME_BYTES && BEYOND_LATIN1.test(value)) throw malformed("name");
  return toName(value);
}

function packCaller(caller: Caller): unknown[] {
  const { uid, gid, groups, umask } = caller;
  if (umask !== undefined) return [uid, gid, groups ?? null, umask];
  return groups === undefined ? [uid, gid] : [uid, gid, groups];
}

function readCaller(value: unknown): Caller {
  const [uid, gid, groups, umask] = readList(value, 4, "caller");
  const caller: Caller = { uid: readCount(uid, "uid"), gid: readCount(gid, "gid") };
  if (groups !== undefined && groups !== null) {
    const list = readList(groups, MAX_GROUPS, "groups");
    caller.groups = list.map((group) => readCount(group, "gid"));
  }
  if (umask !== undefined) caller.umask = readCount(umask, "umask");
  return caller;
}

function packAttr(attr: Attr): unknown[] {
  const fields: unknown[] = [
    attr.ino,
    attr.mode,
    attr.nlink,
    attr.uid,
    attr.gid,
    attr.rdev,
    attr.sizeBytes,
    attr.allocatedBytes,
    attr.atimeSec,
    attr.atimeNsec,
    attr.mtimeSec,
    attr.mtimeNsec,
    attr.ctimeSec,
    attr.ctimeNsec,
  ];
  if (attr.hasXattrs === true) fields.push(true);
  return fields;
}

function readAttr(value: unknown): Attr {
  const fields = readList(value, 15, "attributes");
  const attr: Attr = {
    ino: readIno(fields[0]),
    mode: readCount(fields[1], "mode"),
    nlink: readCount(fields[2], "nlink"),
    uid: readCount(fields[3], "uid"),
    gid: readCount(fields[4], "gid"),
    rdev: readCount(fields[5], "rdev"),
    sizeBytes: readCount(fields[6], "size"),
    allocatedBytes: readCount(fields[7], "allocated size"),
    atimeSec: readInteger(fields[8], "atime"),
    atimeNsec: readCount(fields[9], "atime"),
    mtimeSec: readInteger(fields[10], "mtime"),
    mtimeNsec: readCount(fields[11], "mtime"),
    ctimeSec: readInteger(fields[12], "ctime"),
    ctimeNsec: readCount(fields[13], "ctime"),
  };
  if (fields[14] !== undefined && readFlag(fields[14], "extended attributes"))
    attr.hasXattrs = true;
  return attr;
}

function packTime(time: Timespec | "now" | undefined): unknown {
  if (time === undefined) return null;
  return time === "now" ? true : [time.sec, time.nsec];
}

export function readTime(value: unknown): Timespec {
  const fields = readList(value, 2, "time");
  const nsec = readCount(fields[1], "nanoseconds");
  if (nsec > 999_999_999) throw malformed("nanoseconds");
  return { sec: readInteger(fields[0], "seconds"), nsec };
}

function packAttrChanges(changes: AttrChanges): unknown[] {
  return [
    changes.mode ?? null,
    changes.uid ?? null,
    changes.gid ?? null,
    changes.sizeBytes ?? null,
    packTime(changes.atime),
    packTime(changes.mtime),
    changes.killPrivileges ?? false,
  ];
}

function readAttrChanges(value: unknown): AttrChanges {
  const [mode, uid, gid, size, atime, mtime, kill] = readList(value, 7, "attribute changes");
  const changes: AttrChanges = {};
  if (mode !== null) changes.mode = readCount(mode, "mode");
  if (uid !== null) changes.uid = readCount(uid, "uid");
  if (gid !== null) changes.gid = readCount(gid, "gid");
  if (size !== null) changes.sizeBytes = readCount(size, "size");
  if (atime !== null) changes.atime = atime === true ? "now" : readTime(atime);
  if (mtime !== null) changes.mtime = mtime === true ? "now" : readTime(mtime);
  if (readFlag(kill, "killPrivileges")) changes.killPrivileges = true;
  return changes;
}

/**
 * With a location: [pos, length, off, slice, pool, location id, stored, base]; else [.., inline].
 */
function packExtent(extent: Extent): unknown[] {
  const head = [extent.posInChunk, extent.lengthBytes, extent.offInSlice, extent.slice];
  const { location } = extent;
  if (location === undefined) return [...head, extent.inline ?? null];
  return [...head, location.pool, location.id, location.storedBytes, location.baseBytes];
}

function readExtent(value: unknown): Extent {
  const fields = readList(value, 8, "extent");
  const posInChunk = readCount(fields[0], "extent position");
  const lengthBytes = readCount(fields[1], "extent length");
  const offInSlice = readCount(fields[2], "extent offset");
  const slice = readCount(fields[3], "slice") as SliceId;
  if (fields.length === 5) {
    const inline = readBytes(fields[4], "inline bytes");
    return { posInChunk, lengthBytes, offInSlice, slice, inline };
  }
  const location: SliceLocation = {
    pool: readCount(fields[4], "pool") as PoolId,
    id: readCount(fields[5], "slice") as SliceId,
    storedBytes: readCount(fields[6], "stored length"),
    baseBytes: readCount(fields[7], "base"),
  };
  return { posInChunk, lengthBytes, offInSlice, slice, location };
}

function packChunk(chunk: ChunkExtents): unknown[] {
  return [chunk.chunk, chunk.extents.map(packExtent)];
}

function readChunk(value: unknown): ChunkExtents {
  const fields = readList(value, 2, "chunk");
  return {
    chunk: readCount(fields[0], "chunk"),
    extents: readList(fields[1], Infinity, "extents").map(readExtent),
  };
}

function packOpenReply(reply: OpenReply): unknown[] {
  return [packAttr(reply.attr), packChunk(reply.firstChunk), reply.pool];
}

function readOpenReply(value: unknown): OpenReply {
  const fields = readList(value, 4, "open reply");
  return {
    attr: readAttr(fields[0]),
    firstChunk: readChunk(fields[1]),
    pool: readCount(fields[2], "pool") as PoolId,
  };
}

function packCreateReply(reply: CreateReply): unknown[] {
  return [...packOpenReply(reply), reply.created];
}

function readCreateReply(value: unknown): CreateReply {
  const fields = readList(value, 4, "create reply");
  const { attr, firstChunk, pool } = readOpenReply(fields);
  return { attr, firstChunk, pool, created: readFlag(fields[3], "created") };
}

function packEntry(entry: DirEntry): unknown[] {
  const head = [entry.name, entry.ino, entry.mode, entry.cookie];
  return entry.attr === undefined ? head : [...head, packAttr(entry.attr)];
}

function readEntry(value: unknown): DirEntry {
  const fields = readList(value, 5, "directory entry");
  const entry: DirEntry = {
    name: readName(fields[0]),
    ino: readIno(fields[1]),
    mode: readCount(fields[2], "mode"),
    cookie: readCount(fields[3], "cookie"),
  };
  if (fields.length === 5) entry.attr = readAttr(fields[4]);
  return entry;
}

function packPage(page: DirPage): unknown[] {
  return [page.entries.map(packEntry), page.more, packAttr(page.attr), page.parent];
}

function readPage(value: unknown): DirPage {
  const fields = readList(value, 4, "directory page");
  return {
    entries: readList(fields[0], Infinity, "directory entries").map(readEntry),
    more: readFlag(fields[1], "more"),
    attr: readAttr(fields[2]),
    parent: readIno(fields[3]),
  };
}

function packStatFs(stat: StatFs): unknown[] {
  return [stat.totalBytes, stat.freeBytes, stat.inodes];
}

function readStatFs(value: unknown): StatFs {
  const fields = readList(value, 3, "statfs");
  return {
    totalBytes: readCount(fields[0], "total"),
    freeBytes: readCount(fields[1], "free"),
    inodes: readCount(fields[2], "inodes"),
  };
}

const asIs = <T>(value: T): T => value;

export const nothingCodec: Codec<void> = { pack: () => null, read: () => undefined };
export const flagCodec: Codec<boolean> = { pack: asIs, read: (raw) => readFlag(raw, "flag") };
export const countCodec: Codec<number> = { pack: asIs, read: (raw) => readCount(raw, "number") };
export const inoCodec: Codec<Ino> = { pack: asIs, read: readIno };
export const nameCodec: Codec<Name> = { pack: asIs, read: readName };
export const callerCodec: Codec<Caller> = { pack: packCaller, read: readCaller };
export const attrCodec: Codec<Attr> = { pack: packAttr, read: readAttr };
export const attrChangesCodec: Codec<AttrChanges> = {
  pack: packAttrChanges,
  read: readAttrChanges,
};
export const openReplyCodec: Codec<OpenReply> = { pack: packOpenReply, read: readOpenReply };
export const createReplyCodec: Codec<CreateReply> = {
  pack: packCreateReply,
  read: readCreateReply,
};
export const pageCodec: Codec<DirPage> = { pack: packPage, read: readPage };
export const statFsCodec: Codec<StatFs> = { pack: packStatFs, read: readStatFs };
export const chunkCodec: Codec<ChunkExtents> = { pack: packChunk, read: readChunk };

/** Bytes as text, at most `maxChars` of them. */
export function latin1Codec(maxChars: number): Codec<string> {
  return { pack: asIs, read: (raw) => readLatin1(raw, maxChars, "text") };
}

/** Bytes; more than `maxBytes` is what the operation itself would refuse, so it answers E2BIG. */
export function bytesCodec(maxBytes: number): Codec<Uint8Array> {
  return {
    pack: asIs,
    read: (raw) => {
      const bytes = readBytes(raw, "bytes");
      if (bytes.length > maxBytes) throw new FsError("E2BIG", `more than ${maxBytes} bytes`);
      return bytes;
    },
  };
}

export function listCodec<T>(item: Codec<T>, maxLength: number): Codec<T[]> {
  return {
    pack: (values) => values.map((value) => item.pack(value)),
    read: (raw) => readList(raw, maxLength, "list").map((value) => item.read(value)),
  };
}
