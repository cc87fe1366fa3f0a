// POSIX ACLs of inodes as they are stored, beside the record and in attributes. What they say is
// domain's matter.
import { ACL_ACCESS, ACL_DEFAULT, type Acl, encodeAcl, parseAcl } from "../../domain/acl.ts";
import { aclAfterChmod, isMinimal, modeWithAcl } from "../../domain/acl-rules.ts";
import { isDirectory, isSymlink } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import type { Inheritance } from "../../domain/inheritance.ts";
import { MAX_XATTR_LIST_BYTES } from "../../domain/limits.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import { HAS_ACCESS_ACL, HAS_DEFAULT_ACL, type Inode } from "../schema/inode.ts";
import { keys } from "../schema/keys.ts";

/** Reads what the inode's record only says to be there. */
export function loadAccessAcl(tx: ReadTransaction, inode: Inode): void {
  if ((inode.acls & HAS_ACCESS_ACL) === 0) return;
  const value = tx.get(keys.xattr(inode.ino, ACL_ACCESS));
  if (value !== undefined) inode.accessAcl = parseAcl(value);
}

/** The directory's default list, where it has one. */
export function defaultAclOf(tx: ReadTransaction, directory: Inode): Acl | undefined {
  if ((directory.acls & HAS_DEFAULT_ACL) === 0) return undefined;
  const value = tx.get(keys.xattr(directory.ino, ACL_DEFAULT));
  return value === undefined ? undefined : parseAcl(value);
}

/** The mode has been changed: the list follows. */
export function followMode(tx: Transaction, inode: Inode): void {
  if (inode.accessAcl === undefined) return;
  store(tx, inode, ACL_ACCESS, aclAfterChmod(inode.accessAcl, inode.mode));
}

/** Gives a new inode the lists that it inherits. */
export function storeInherited(tx: Transaction, inode: Inode, inherited: Inheritance): void {
  const { accessAcl, defaultAcl } = inherited;
  if (accessAcl !== undefined && !isMinimal(accessAcl)) store(tx, inode, ACL_ACCESS, accessAcl);
  if (defaultAcl !== undefined) store(tx, inode, ACL_DEFAULT, defaultAcl);
}

/** @throws FsError EOPNOTSUPP: symlinks have none */
export function requireAclCarrier(inode: Inode): void {
  if (isSymlink(inode.mode)) throw new FsError("EOPNOTSUPP", "symlinks have no ACLs");
}

/**
 * Sets a list, or takes it away where `value` has no entries. An access list changes the mode; one
 * that says no more than the mode isn't kept.
 * @throws FsError EINVAL, EOPNOTSUPP, EACCES (a default list is for directories), ENOSPC
 */
export function setAcl(tx: Transaction, inode: Inode, name: string, value: Uint8Array): void {
  const acl = parseAcl(value);
  if (name === ACL_DEFAULT && !isDirectory(inode.mode)) {
    if (acl.length > 0) throw new FsError("EACCES", "only directories have default ACLs");
    return;
  }
  if (name === ACL_ACCESS && acl.length > 0) inode.mode = modeWithAcl(inode.mode, acl);
  if (acl.length === 0 || (name === ACL_ACCESS && isMinimal(acl))) drop(tx, inode, name);
  else store(tx, inode, name, acl);
}

function flagOf(name: string): number {
  return name === ACL_ACCESS ? HAS_ACCESS_ACL : HAS_DEFAULT_ACL;
}

/** The inode is to be saved afterwards, here as in `drop`. */
function store(tx: Transaction, inode: Inode, name: string, acl: Acl): void {
  const flag = flagOf(name);
  if ((inode.acls & flag) === 0) {
    const listBytes = inode.xattrListBytes + name.length + 1;
    if (listBytes > MAX_XATTR_LIST_BYTES) throw new FsError("ENOSPC", "too many xattrs");
    inode.xattrListBytes = listBytes;
    inode.acls |= flag;
  }
  tx.put(keys.xattr(inode.ino, name), encodeAcl(acl));
  if (name === ACL_ACCESS) inode.accessAcl = acl;
}

function drop(tx: Transaction, inode: Inode, name: string): void {
  const flag = flagOf(name);
  if ((inode.acls & flag) === 0) return;
  tx.delete(keys.xattr(inode.ino, name));
  inode.acls &= ~flag;
  inode.xattrListBytes -= name.length + 1;
  if (name === ACL_ACCESS) delete inode.accessAcl;
}
