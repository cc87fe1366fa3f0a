// Extended attributes: user., trusted. and security. names, and the ACLs', with Linux's rules
// (fs/xattr.c, xattr(7)).
import { ACL_ACCESS, isAclName, parseAcl } from "../../domain/acl.ts";
import { isDirectory, isRegular, S_ISGID, S_ISVTX } from "../../domain/attributes.ts";
import type { Caller, Timespec } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import type { Ino } from "../../domain/ids.ts";
import {
  MAX_XATTR_LIST_BYTES,
  MAX_XATTR_NAME_BYTES,
  MAX_XATTR_VALUE_BYTES,
} from "../../domain/limits.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import type { Inode } from "../schema/inode.ts";
import { keyRanges, keys, nameOfKey } from "../schema/keys.ts";
import { requireAclCarrier, setAcl } from "./inode-acl.ts";
import { loadInode, saveInode, stampChange } from "./inodes.ts";
import { inGroup, isRoot, MAY_READ, MAY_WRITE, requireAccess } from "../../domain/permission.ts";
import { requireOwner } from "../../domain/permission.ts";

const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;
const NO_ACL = new Uint8Array();

export function getXattr(tx: ReadTransaction, caller: Caller, ino: Ino, name: string): Uint8Array {
  const inode = loadInode(tx, ino);
  if (isAclName(name)) requireAclCarrier(inode);
  else requireReadable(caller, inode, name);
  const value = tx.get(keys.xattr(ino, name));
  if (value === undefined) throw noData(name);
  return value;
}

export function setXattr(
  tx: Transaction,
  caller: Caller,
  ino: Ino,
  name: string,
  value: Uint8Array,
  flags: number,
  now: Timespec,
): Inode {
  const inode = loadInode(tx, ino);
  if (isAclName(name)) return changeAcl(tx, caller, inode, name, value, now);
  requireWritable(caller, inode, name);
  if (value.length > MAX_XATTR_VALUE_BYTES) throw new FsError("E2BIG", "xattr value too long");
  if ((flags & ~(XATTR_CREATE | XATTR_REPLACE)) !== 0) {
    throw new FsError("EINVAL", `xattr flags ${flags}`);
  }
  const key = keys.xattr(ino, name);
  const exists = tx.get(key) !== undefined;
  if (exists && (flags & XATTR_CREATE) !== 0) throw new FsError("EEXIST", "xattr exists");
  if (!exists && (flags & XATTR_REPLACE) !== 0) throw noData(name);
  if (!exists) {
    const listBytes = inode.xattrListBytes + name.length + 1;
    if (listBytes > MAX_XATTR_LIST_BYTES) throw new FsError("ENOSPC", "too many xattrs");
    inode.xattrListBytes = listBytes;
  }
  tx.put(key, Buffer.from(value));
  stampChange(inode, now);
  saveInode(tx, inode);
  return inode;
}

/** Names in byte order; trusted. ones only for root. */
export function listXattrs(tx: ReadTransaction, caller: Caller, ino: Ino): string[] {
  const inode = loadInode(tx, ino);
  if (inode.xattrListBytes === 0) return [];
  const names = [...tx.range(keyRanges.xattrs(ino))].map(({ key }) => nameOfKey(key));
  return isRoot(caller) ? names : names.filter((name) => !name.startsWith("trusted."));
}

export function removeXattr(
  tx: Transaction,
  caller: Caller,
  ino: Ino,
  name: string,
  now: Timespec,
): Inode {
  const inode = loadInode(tx, ino);
  if (isAclName(name)) return changeAcl(tx, caller, inode, name, NO_ACL, now);
  requireWritable(caller, inode, name);
  const key = keys.xattr(ino, name);
  if (tx.get(key) === undefined) throw noData(name);
  tx.delete(key);
  inode.xattrListBytes -= name.length + 1;
  stampChange(inode, now);
  saveInode(tx, inode);
  return inode;
}

/**
 * Flags mean nothing here, and taking away what isn't there is no error, as Linux has it for ACLs.
 */
function changeAcl(
  tx: Transaction,
  caller: Caller,
  inode: Inode,
  name: string,
  value: Uint8Array,
  now: Timespec,
): Inode {
  requireAclCarrier(inode);
  requireOwner(caller, inode);
  if (value.length > MAX_XATTR_VALUE_BYTES) throw new FsError("E2BIG", "ACL too long");
  setAcl(tx, inode, name, value);
  const given = name === ACL_ACCESS && parseAcl(value).length > 0;
  if (given && !inGroup(caller, inode.gid)) inode.mode &= ~S_ISGID;
  stampChange(inode, now);
  saveInode(tx, inode);
  return inode;
}

function noData(name: string): FsError {
  return new FsError("ENODATA", `no xattr ${name}`);
}

type XattrNamespace = "user" | "trusted" | "security";

/** @throws FsError ERANGE (name too long), EINVAL (nothing after the dot), EOPNOTSUPP */
function namespaceOf(name: string): XattrNamespace {
  if (name.length > MAX_XATTR_NAME_BYTES) throw new FsError("ERANGE", "xattr name too long");
  for (const namespace of ["user", "trusted", "security"] as const) {
    if (!name.startsWith(`${namespace}.`)) continue;
    if (name.length === namespace.length + 1 || name.includes("\0")) {
      throw new FsError("EINVAL", "xattr name is empty or has a NUL in it");
    }
    return namespace;
  }
  throw new FsError("EOPNOTSUPP", "xattr names begin with user., trusted. or security.");
}

function requireReadable(caller: Caller, inode: Inode, name: string): void {
  const namespace = namespaceOf(name);
  if (namespace === "trusted" && !isRoot(caller)) throw noData(name);
  if (namespace !== "user") return;
  if (!carriesUserXattrs(inode)) throw noData(name);
  requireAccess(caller, inode, MAY_READ);
}

function requireWritable(caller: Caller, inode: Inode, name: string): void {
  const namespace = namespaceOf(name);
  if (namespace !== "user") {
    if (!isRoot(caller)) throw new FsError("EPERM", `only root sets ${namespace}. xattrs`);
    return;
  }
  if (!carriesUserXattrs(inode)) {
    throw new FsError("EPERM", "only regular files and directories have user. xattrs");
  }
  if (isDirectory(inode.mode) && (inode.mode & S_ISVTX) !== 0) requireOwner(caller, inode);
  requireAccess(caller, inode, MAY_WRITE);
}

function carriesUserXattrs(inode: Inode): boolean {
  return isRegular(inode.mode) || isDirectory(inode.mode);
}
