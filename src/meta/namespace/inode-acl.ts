// POSIX ACLs of inodes: what they allow, how they follow chmod and are inherited, and their
// attributes. Follows Linux (fs/posix_acl.c) where the withdrawn POSIX.1e leaves a choice.
import {
  ACL_ACCESS,
  ACL_DEFAULT,
  ACL_TAG,
  encodeAcl,
  isNamed,
  parseAcl,
  type Acl,
} from "../../domain/acl.ts";
import { isDirectory, isSymlink, type Caller } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import { MAX_XATTR_LIST_BYTES } from "../../domain/limits.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import { HAS_ACCESS_ACL, HAS_DEFAULT_ACL, type Inode } from "../schema/inode.ts";
import { keys } from "../schema/keys.ts";

const GROUP_BITS = 0o070;
const ALL_BITS = 0o777;

/** The class a tag's permissions have in the mode: bits to shift them by; -1 for named ones. */
function shiftOf(tag: number): number {
  if (tag === ACL_TAG.USER_OBJ) return 6;
  if (tag === ACL_TAG.GROUP_OBJ || tag === ACL_TAG.MASK) return 3;
  return tag === ACL_TAG.OTHER ? 0 : -1;
}

function hasMask(acl: Acl): boolean {
  return acl.some(({ tag }) => tag === ACL_TAG.MASK);
}

/** The list says no more than permission bits can. */
function isMinimal(acl: Acl): boolean {
  return !hasMask(acl) && !acl.some(isNamed);
}

/** Permission bits that stand for the list: the group's are the mask's where there is one. */
function modeOf(acl: Acl): number {
  const masked = hasMask(acl);
  let mode = 0;
  for (const { tag, permissions } of acl) {
    if (isOutranked(tag, masked)) continue;
    const shift = shiftOf(tag);
    if (shift >= 0) mode |= permissions << shift;
  }
  return mode;
}

/** The owning group's entry, where the mask has its place in the mode. */
function isOutranked(tag: number, masked: boolean): boolean {
  return masked && tag === ACL_TAG.GROUP_OBJ;
}

/** The list with every class that the mode speaks of changed by it. */
function withClasses(acl: Acl, change: (permissions: number, bits: number) => number): Acl {
  const masked = hasMask(acl);
  return acl.map((entry) => {
    const shift = shiftOf(entry.tag);
    if (shift < 0 || isOutranked(entry.tag, masked)) return entry;
    return { ...entry, permissions: change(entry.permissions, shift) };
  });
}

/**
 * What the inode's list says of a caller who doesn't own it: undefined where there is none to ask.
 * Without any bit for the group the list isn't asked either, as on Linux.
 */
export function aclAllows(
  { accessAcl, gid, mode }: Inode,
  caller: Caller,
  wanted: number,
): boolean | undefined {
  if (accessAcl === undefined || (mode & GROUP_BITS) === 0) return undefined;
  const mask = accessAcl.find(({ tag }) => tag === ACL_TAG.MASK)?.permissions ?? 7;
  const belongs = (group: number): boolean =>
    caller.gid === group || caller.groups?.includes(group) === true;
  let grouped = false;
  for (const { tag, permissions, id } of accessAcl) {
    if (tag === ACL_TAG.USER && id === caller.uid) return (permissions & mask & wanted) === wanted;
    const group = tag === ACL_TAG.GROUP_OBJ ? gid : tag === ACL_TAG.GROUP ? id : undefined;
    if (group !== undefined && belongs(group)) {
      grouped = true;
      if ((permissions & wanted) === wanted) return (mask & wanted) === wanted;
    }
    if (tag === ACL_TAG.OTHER) return !grouped && (permissions & wanted) === wanted;
  }
  return false;
}

/** Reads what the inode's record only says to be there. */
export function loadAccessAcl(tx: ReadTransaction, inode: Inode): void {
  if ((inode.acls & HAS_ACCESS_ACL) === 0) return;
  const value = tx.get(keys.xattr(inode.ino, ACL_ACCESS));
  if (value !== undefined) inode.accessAcl = parseAcl(value);
}

/** The mode has been changed: the list follows. */
export function followMode(tx: Transaction, inode: Inode): void {
  if (inode.accessAcl === undefined) return;
  const { mode } = inode;
  store(
    tx,
    inode,
    ACL_ACCESS,
    withClasses(inode.accessAcl, (_, shift) => (mode >> shift) & 7),
  );
}

/**
 * Gives a new inode what its directory's default list hands on; without one the caller's umask is
 * taken off its mode.
 */
export function inheritAcls(tx: Transaction, caller: Caller, parent: Inode, inode: Inode): void {
  if (isSymlink(inode.mode)) return;
  const value =
    (parent.acls & HAS_DEFAULT_ACL) === 0 ? undefined : tx.get(keys.xattr(parent.ino, ACL_DEFAULT));
  if (value === undefined) {
    inode.mode &= ~((caller.umask ?? 0) & ALL_BITS);
    return;
  }
  const inherited = parseAcl(value);
  const { mode } = inode;
  const access = withClasses(inherited, (permissions, shift) => permissions & (mode >> shift));
  inode.mode = (mode & ~ALL_BITS) | modeOf(access);
  if (!isMinimal(access)) store(tx, inode, ACL_ACCESS, access);
  if (isDirectory(mode)) store(tx, inode, ACL_DEFAULT, inherited);
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
  if (name === ACL_ACCESS && acl.length > 0) inode.mode = (inode.mode & ~ALL_BITS) | modeOf(acl);
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
