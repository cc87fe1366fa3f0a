// What a new inode has of its maker and of the directory it is made in: owner, group, mode, ACLs.
import type { Acl } from "./acl.ts";
import { inheritAcl } from "./acl-rules.ts";
import {
  type Attr,
  type Caller,
  isDirectory,
  isRegular,
  isSymlink,
  S_ISGID,
  S_IXGRP,
} from "./attributes.ts";
import { inGroup } from "./permission.ts";

const PERMISSION_CLASSES = 0o777;

export interface Inheritance {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  /** The access list that the directory's default list gives it. */
  readonly accessAcl?: Acl;
  /** The default list, which directories hand on. */
  readonly defaultAcl?: Acl;
}

/**
 * Of something that `caller` makes with `mode` (type and permission bits). A setgid directory hands
 * on its group (inode_init_owner of Linux). Where it has no default list, the umask is taken off.
 */
export function inheritanceOf(
  caller: Caller,
  directory: Pick<Attr, "mode" | "gid">,
  defaultAcl: Acl | undefined,
  mode: number,
): Inheritance {
  const handsOn = (directory.mode & S_ISGID) !== 0;
  const uid = caller.uid;
  const gid = handsOn ? directory.gid : caller.gid;
  const given = handsOn ? modeInSetgid(caller, directory.gid, mode) : mode;
  if (isSymlink(mode)) return { uid, gid, mode: given };
  if (defaultAcl === undefined) {
    return { uid, gid, mode: given & ~((caller.umask ?? 0) & PERMISSION_CLASSES) };
  }
  const { mode: cut, access } = inheritAcl(defaultAcl, given);
  const inherited = { uid, gid, mode: cut, accessAcl: access };
  return isDirectory(mode) ? { ...inherited, defaultAcl } : inherited;
}

/** Directories have the bit from theirs; a stranger to the group can't make a program setgid. */
function modeInSetgid(caller: Caller, gid: number, mode: number): number {
  if (isDirectory(mode)) return mode | S_ISGID;
  const executableSetgid = S_ISGID | S_IXGRP;
  const isProgram = isRegular(mode) && (mode & executableSetgid) === executableSetgid;
  return isProgram && !inGroup(caller, gid) ? mode & ~S_ISGID : mode;
}
