// Inode record, version 1: fixed layout, little-endian, because it is read and written by every
// operation.
import type { Acl } from "../../domain/acl.ts";
import type { Attr } from "../../domain/attributes.ts";
import type { Ino, PoolId } from "../../domain/ids.ts";
import { unknownVersion } from "./records.ts";

/** An inode as the server keeps it: the attributes and what clients don't see. */
export interface Inode extends Attr {
  /**
   * Of a directory: the one it is in (its own ino for the root). Of a file that never had a name:
   * the directory it was made for. Of anything else 0.
   */
  parent: Ino;
  /**
   * Under which number its chunks are kept: its ino, until a truncate leaves the old ones behind.
   */
  data: number;
  /** Pool of new slices; of a directory: of the files created in it. */
  pool: PoolId;
  /** Opens not yet released, of all sessions together. */
  opens: number;
  /** Bytes of all its xattr names, a NUL each included (the size of listxattr's answer). */
  xattrListBytes: number;
  /** Which ACLs are among its xattrs: HAS_… bits. */
  acls: number;
  /** It has marks of unsettled slices. */
  marked: boolean;
  /** Read along with the record where there is one; kept as an xattr. */
  accessAcl?: Acl;
}

export const HAS_ACCESS_ACL = 1;
export const HAS_DEFAULT_ACL = 2;

const VERSION = 1;
const SIZE = 114;
/** Beside the bits of `acls`. */
const MARKED = 0x80;

export function encodeInode(inode: Inode): Uint8Array {
  const record = Buffer.allocUnsafe(SIZE);
  record[0] = VERSION;
  record[1] = inode.acls | (inode.marked ? MARKED : 0);
  record.writeDoubleLE(inode.ino, 2);
  record.writeUInt32LE(inode.mode, 10);
  record.writeUInt32LE(inode.nlink, 14);
  record.writeUInt32LE(inode.uid, 18);
  record.writeUInt32LE(inode.gid, 22);
  record.writeUInt32LE(inode.rdev, 26);
  record.writeDoubleLE(inode.sizeBytes, 30);
  record.writeDoubleLE(inode.allocatedBytes, 38);
  record.writeDoubleLE(inode.atimeSec, 46);
  record.writeUInt32LE(inode.atimeNsec, 54);
  record.writeDoubleLE(inode.mtimeSec, 58);
  record.writeUInt32LE(inode.mtimeNsec, 66);
  record.writeDoubleLE(inode.ctimeSec, 70);
  record.writeUInt32LE(inode.ctimeNsec, 78);
  record.writeDoubleLE(inode.parent, 82);
  record.writeDoubleLE(inode.data, 90);
  record.writeUInt32LE(inode.pool, 98);
  record.writeUInt32LE(inode.opens, 102);
  record.writeDoubleLE(inode.xattrListBytes, 106);
  return record;
}

/** @throws FsError EIO on an unknown version */
export function decodeInode(record: Uint8Array): Inode {
  if (record[0] !== VERSION) throw unknownVersion("inode", record);
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  const flags = record[1] ?? 0;
  return {
    ino: view.getFloat64(2, true) as Ino,
    mode: view.getUint32(10, true),
    nlink: view.getUint32(14, true),
    uid: view.getUint32(18, true),
    gid: view.getUint32(22, true),
    rdev: view.getUint32(26, true),
    sizeBytes: view.getFloat64(30, true),
    allocatedBytes: view.getFloat64(38, true),
    atimeSec: view.getFloat64(46, true),
    atimeNsec: view.getUint32(54, true),
    mtimeSec: view.getFloat64(58, true),
    mtimeNsec: view.getUint32(66, true),
    ctimeSec: view.getFloat64(70, true),
    ctimeNsec: view.getUint32(78, true),
    parent: view.getFloat64(82, true) as Ino,
    data: view.getFloat64(90, true),
    pool: view.getUint32(98, true) as PoolId,
    opens: view.getUint32(102, true),
    xattrListBytes: view.getFloat64(106, true),
    acls: flags & ~MARKED,
    marked: (flags & MARKED) !== 0,
  };
}

/** What clients may see of an inode. */
export function attrOf(inode: Inode): Attr {
  const attr: Attr = {
    ino: inode.ino,
    mode: inode.mode,
    nlink: inode.nlink,
    uid: inode.uid,
    gid: inode.gid,
    rdev: inode.rdev,
    sizeBytes: inode.sizeBytes,
    allocatedBytes: inode.allocatedBytes,
    atimeSec: inode.atimeSec,
    atimeNsec: inode.atimeNsec,
    mtimeSec: inode.mtimeSec,
    mtimeNsec: inode.mtimeNsec,
    ctimeSec: inode.ctimeSec,
    ctimeNsec: inode.ctimeNsec,
  };
  if (inode.xattrListBytes > 0) attr.hasXattrs = true;
  return attr;
}
