// Records of directories: the dentry (found by name) and the directory index (paged by cookie).
import { S_IFMT } from "../../domain/attributes.ts";
import type { Ino, Name } from "../../domain/ids.ts";
import { unknownVersion } from "./records.ts";

export interface Dentry {
  ino: Ino;
  /** Type bits of the inode's mode, which never change. */
  type: number;
  /** Its place in the directory's order; found there, the entry is listed. */
  cookie: number;
}

export interface IndexEntry {
  ino: Ino;
  type: number;
  name: Name;
}

const VERSION = 1;
const DENTRY_SIZE = 21;
const INDEX_HEAD = 13;

export function encodeDentry(dentry: Dentry): Uint8Array {
  const record = Buffer.allocUnsafe(DENTRY_SIZE);
  record[0] = VERSION;
  record.writeUInt32LE(dentry.type & S_IFMT, 1);
  record.writeDoubleLE(dentry.ino, 5);
  record.writeDoubleLE(dentry.cookie, 13);
  return record;
}

/** @throws FsError EIO on an unknown version */
export function decodeDentry(record: Uint8Array): Dentry {
  if (record[0] !== VERSION) throw unknownVersion("dentry", record);
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  return {
    type: view.getUint32(1, true),
    ino: view.getFloat64(5, true) as Ino,
    cookie: view.getFloat64(13, true),
  };
}

export function encodeIndexEntry(entry: IndexEntry): Uint8Array {
  const record = Buffer.allocUnsafe(INDEX_HEAD + entry.name.length);
  record[0] = VERSION;
  record.writeUInt32LE(entry.type & S_IFMT, 1);
  record.writeDoubleLE(entry.ino, 5);
  record.write(entry.name, INDEX_HEAD, "latin1");
  return record;
}

/** @throws FsError EIO on an unknown version */
export function decodeIndexEntry(record: Uint8Array): IndexEntry {
  if (record[0] !== VERSION) throw unknownVersion("directory index entry", record);
  const bytes = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
  return {
    type: bytes.readUInt32LE(1),
    ino: bytes.readDoubleLE(5) as Ino,
    // The name was checked when it was created.
    name: bytes.toString("latin1", INDEX_HEAD) as Name,
  };
}
