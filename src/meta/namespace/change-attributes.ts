// setattr: chmod, chown, utimens and truncate in one.
import { ownershipAfter, requireChangeable } from "../../domain/attribute-rules.ts";
import type { AttrChanges, Caller } from "../../domain/attributes.ts";
import type { Ino } from "../../domain/ids.ts";
import type { Transaction } from "../engine/engine.ts";
import type { Inode } from "../schema/inode.ts";
import { truncateInode } from "./data.ts";
import { followMode } from "./inode-acl.ts";
import { loadInode, saveInode, stampChange, stampContent, type Making } from "./inodes.ts";

export function changeAttributes(
  tx: Transaction,
  caller: Caller,
  ino: Ino,
  changes: AttrChanges,
  handleOpen: boolean,
  { now, ids }: Pick<Making, "now" | "ids">,
): Inode {
  const inode = loadInode(tx, ino);
  // All checks come first, against the inode as it was: setattr is all or nothing.
  requireChangeable(caller, inode, changes, handleOpen);
  const after = ownershipAfter(caller, inode, changes);
  if (changes.sizeBytes !== undefined) {
    truncateInode(tx, inode, changes.sizeBytes, ids);
    stampContent(inode, now);
  }
  inode.uid = after.uid;
  inode.gid = after.gid;
  inode.mode = after.mode;
  if (changes.mode !== undefined) followMode(tx, inode);
  if (changes.atime !== undefined) {
    const atime = changes.atime === "now" ? now : changes.atime;
    inode.atimeSec = atime.sec;
    inode.atimeNsec = atime.nsec;
  }
  if (changes.mtime !== undefined) {
    const mtime = changes.mtime === "now" ? now : changes.mtime;
    inode.mtimeSec = mtime.sec;
    inode.mtimeNsec = mtime.nsec;
  }
  stampChange(inode, now);
  saveInode(tx, inode);
  return inode;
}
