// POSIX access control lists as they travel in extended attributes (linux/posix_acl_xattr.h,
// version 2). What they allow is decided elsewhere.
import { FsError } from "./errno.ts";

export const ACL_ACCESS = "system.posix_acl_access";
export const ACL_DEFAULT = "system.posix_acl_default";

/** Tags of entries (linux/posix_acl.h). A named user's or group's entry has an id. */
export const ACL_TAG = {
  USER_OBJ: 0x01,
  USER: 0x02,
  GROUP_OBJ: 0x04,
  GROUP: 0x08,
  MASK: 0x10,
  OTHER: 0x20,
} as const;

export interface AclEntry {
  readonly tag: number;
  /** Read 4, write 2, execute 1. */
  readonly permissions: number;
  /** Of a named user or group; 4,294,967,295 for all others. */
  readonly id: number;
}

/** Owner, named users, group, named groups, mask, others: in this order. */
export type Acl = readonly AclEntry[];

const VERSION = 2;
const HEADER_BYTES = 4;
const ENTRY_BYTES = 8;
const MAX_PERMISSIONS = 7;
/** Each tag's place in the order, and whether there is at most one of it. */
const PLACES = new Map<number, { place: number; single: boolean }>([
  [ACL_TAG.USER_OBJ, { place: 0, single: true }],
  [ACL_TAG.USER, { place: 1, single: false }],
  [ACL_TAG.GROUP_OBJ, { place: 2, single: true }],
  [ACL_TAG.GROUP, { place: 3, single: false }],
  [ACL_TAG.MASK, { place: 4, single: true }],
  [ACL_TAG.OTHER, { place: 5, single: true }],
]);

export function isAclName(name: string): boolean {
  return name === ACL_ACCESS || name === ACL_DEFAULT;
}

export function isNamed({ tag }: AclEntry): boolean {
  return tag === ACL_TAG.USER || tag === ACL_TAG.GROUP;
}

/**
 * The entries of an attribute's value; none for an empty one, which stands for "no list".
 * @throws FsError EOPNOTSUPP (another version), EINVAL (not a list that POSIX.1e allows)
 */
export function parseAcl(value: Uint8Array): Acl {
  if (value.length === 0) return [];
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  if (value.length < HEADER_BYTES || (value.length - HEADER_BYTES) % ENTRY_BYTES !== 0) {
    throw new FsError("EINVAL", `an ACL of ${value.length} bytes`);
  }
  if (view.getUint32(0, true) !== VERSION) throw new FsError("EOPNOTSUPP", "ACL of a new version");
  const entries: AclEntry[] = [];
  for (let at = HEADER_BYTES; at < value.length; at += ENTRY_BYTES) {
    const permissions = view.getUint16(at + 2, true);
    entries.push({ tag: view.getUint16(at, true), permissions, id: view.getUint32(at + 4, true) });
  }
  if (entries.length > 0) requireValid(entries);
  return entries;
}

export function encodeAcl(acl: Acl): Uint8Array {
  const value = Buffer.allocUnsafe(HEADER_BYTES + acl.length * ENTRY_BYTES);
  value.writeUInt32LE(VERSION, 0);
  acl.forEach(({ tag, permissions, id }, index) => {
    const at = HEADER_BYTES + index * ENTRY_BYTES;
    value.writeUInt16LE(tag, at);
    value.writeUInt16LE(permissions, at + 2);
    value.writeUInt32LE(id, at + 4);
  });
  return value;
}

function requireValid(entries: Acl): void {
  let last = -1;
  for (const { tag, permissions } of entries) {
    const known = PLACES.get(tag);
    if (known === undefined || permissions > MAX_PERMISSIONS) throw invalid();
    if (known.place < last || (known.single && known.place === last)) throw invalid();
    last = known.place;
  }
  const has = (tag: number): boolean => entries.some((entry) => entry.tag === tag);
  const basic = [ACL_TAG.USER_OBJ, ACL_TAG.GROUP_OBJ, ACL_TAG.OTHER].every(has);
  if (!basic || (entries.some(isNamed) && !has(ACL_TAG.MASK))) throw invalid();
}

function invalid(): FsError {
  return new FsError("EINVAL", "the ACL's entries are incomplete, double or out of order");
}
