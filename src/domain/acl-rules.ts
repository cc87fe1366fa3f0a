// What ACLs allow, and how they follow chmod and are inherited. Follows Linux (fs/posix_acl.c)
// where the withdrawn POSIX.1e leaves a choice.
import { ACL_TAG, type Acl, isNamed } from "./acl.ts";
import type { Caller } from "./attributes.ts";

const GROUP_BITS = 0o070;
/** The bits of a mode that a list speaks of. */
const CLASS_BITS = 0o777;

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
export function isMinimal(acl: Acl): boolean {
  return !hasMask(acl) && !acl.some(isNamed);
}

/** The owning group's entry, where the mask has its place in the mode. */
function isOutranked(tag: number, masked: boolean): boolean {
  return masked && tag === ACL_TAG.GROUP_OBJ;
}

/** `mode` with the permission bits that stand for the list: the group's are the mask's, if any. */
export function modeWithAcl(mode: number, acl: Acl): number {
  const masked = hasMask(acl);
  let bits = 0;
  for (const { tag, permissions } of acl) {
    if (isOutranked(tag, masked)) continue;
    const shift = shiftOf(tag);
    if (shift >= 0) bits |= permissions << shift;
  }
  return (mode & ~CLASS_BITS) | bits;
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

/** The list as it follows a chmod to `mode`. */
export function aclAfterChmod(acl: Acl, mode: number): Acl {
  return withClasses(acl, (_, shift) => (mode >> shift) & 7);
}

/** What a directory's default list gives to something made in it with `mode`. */
export function inheritAcl(inherited: Acl, mode: number): { mode: number; access: Acl } {
  const access = withClasses(inherited, (permissions, shift) => permissions & (mode >> shift));
  return { mode: modeWithAcl(mode, access), access };
}

/**
 * What an inode's access list says of a caller who doesn't own it: undefined where there is none to
 * ask. Without any bit for the group the list isn't asked either, as on Linux.
 */
export function aclAllows(
  { accessAcl, gid, mode }: { mode: number; gid: number; accessAcl?: Acl | undefined },
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
