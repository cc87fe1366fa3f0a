// The namespace: what each read and change of MetaService does, as one step of a transaction. The
// files beside this one do the work.
import type { Attr, Caller, Timespec } from "../../domain/attributes.ts";
import { type FsError, isFsError } from "../../domain/errno.ts";
import type { Ino, Name, SessionId } from "../../domain/ids.ts";
import type {
  ChangeOperation,
  MetaArgs,
  MetaResult,
  ReadOperation,
} from "../../protocol/meta/meta-operations.ts";
import type { AttrRequest } from "../../protocol/meta/meta-service.ts";
import { attempt } from "../engine/attempt.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import { attrOf, type Inode } from "../schema/inode.ts";
import { holdsSlice } from "../schema/slice-ranges.ts";
import { changeAttributes } from "./change-attributes.ts";
import { commitExtents, extentsOf } from "./data.ts";
import { requireDentry } from "./dentries.ts";
import * as entries from "./entries.ts";
import { loadDirectory, loadInode, type Making } from "./inodes.ts";
import { listDirectory } from "./listing.ts";
import * as handles from "./open-inodes.ts";
import type { NumberSource } from "./number-ranges.ts";
import { MAY_EXECUTE, MAY_READ, mayAccess, requireAccess } from "../../domain/permission.ts";
import * as ranges from "./ranges.ts";
import { renameEntry } from "./rename.ts";
import { abandonSlices, requireOwnSlices } from "./slices.ts";
import { settleSlices } from "./unsettled-slices.ts";
import * as xattrs from "./xattrs.ts";

/** For whom an operation is done, and with what. */
export interface Scope extends entries.Witness {
  readonly session: SessionId;
  /** When all of it happens. */
  readonly now: Timespec;
  /** Numbers of what the operation makes; all of one operation follow one another. */
  readonly ids: NumberSource;
  /** It was done and acknowledged before, and a power cut has undone it since. */
  readonly isRedo: boolean;
}

type Read<O extends ReadOperation> = (tx: ReadTransaction, ...args: MetaArgs<O>) => MetaResult<O>;
type Change<O extends ChangeOperation> = (
  scope: Scope,
  tx: Transaction,
  ...args: MetaArgs<O>
) => MetaResult<O>;

/** They throw FsError with the operation's POSIX errno. */
export const READS: { readonly [O in ReadOperation]: Read<O> } = {
  lookup: (tx, caller, parent, name) => {
    const directory = loadDirectory(tx, parent);
    requireAccess(caller, directory, MAY_EXECUTE);
    if (name === ".") return attrOf(directory);
    if (name === "..") return attrOf(loadInode(tx, directory.parent));
    return attrOf(loadInode(tx, requireDentry(tx, parent, name).ino));
  },
  getattr: (tx, ino) => attrOf(loadInode(tx, ino)),
  readlink: (tx, _caller, ino) => entries.readSymlink(tx, ino),
  readdir: (tx, caller, ino, cursor, limit, withAttrs) => {
    const directory = loadDirectory(tx, ino);
    requireAccess(caller, directory, MAY_READ);
    const searchable = mayAccess(caller, directory, MAY_EXECUTE);
    return listDirectory(tx, directory, cursor, limit, withAttrs && searchable);
  },
  extents: (tx, ino, chunks) => extentsOf(tx, loadRegular(tx, ino), chunks),
  nextData: (tx, ino, offset) => ranges.nextData(tx, loadRegular(tx, ino), offset),
  getxattr: (tx, caller, ino, name) => xattrs.getXattr(tx, caller, ino, name),
  listxattr: (tx, caller, ino) => xattrs.listXattrs(tx, caller, ino),
};

/** They throw FsError with the operation's POSIX errno before they have written anything. */
export const CHANGES: { readonly [O in ChangeOperation]: Change<O> } = {
  setattr: (scope, tx, caller, ino, changes, handleOpen) =>
    attrOf(changeAttributes(tx, caller, ino, changes, handleOpen, making(scope, caller))),
  create: (scope, tx, caller, parent, name, request, exclusive) => {
    const entry = newEntry(scope, caller, parent, name);
    const { inode, created } = entries.createFile(tx, entry, request, exclusive);
    handles.holdOpen(tx, scope.session, inode);
    scope.met(inode.ino);
    const { attr, firstChunk, pool } = handles.openReply(tx, inode);
    return { attr, firstChunk, pool, created };
  },
  createUnnamed: (scope, tx, caller, parent, mode) => {
    const inode = entries.makeUnnamed(tx, { ...making(scope, caller), parent }, mode);
    handles.holdOpen(tx, scope.session, inode);
    return handles.openReply(tx, inode);
  },
  mkdir: (scope, tx, caller, parent, name, mode) =>
    attrOf(entries.makeDirectory(tx, newEntry(scope, caller, parent, name), mode)),
  mknod: (scope, tx, caller, parent, name, request) =>
    attrOf(entries.makeNode(tx, newEntry(scope, caller, parent, name), request)),
  symlink: (scope, tx, caller, parent, name, target) =>
    attrOf(entries.makeSymlink(tx, newEntry(scope, caller, parent, name), target)),
  link: (scope, tx, caller, ino, parent, name) =>
    attrOf(entries.linkInode(tx, newEntry(scope, caller, parent, name), ino)),
  unlink: (scope, tx, caller, parent, name) =>
    entries.unlinkEntry(tx, newEntry(scope, caller, parent, name)),
  rmdir: (scope, tx, caller, parent, name) =>
    entries.removeDirectory(tx, newEntry(scope, caller, parent, name)),
  rename: (scope, tx, caller, parent, name, newParent, newName, flags, synced) => {
    const names = { ...newEntry(scope, caller, parent, name), newParent, newName };
    return renameEntry(tx, { ...names, flags, synced, isRedo: scope.isRedo });
  },
  open: (scope, tx, caller, ino, access) => {
    const inode = handles.openInode(tx, scope.session, making(scope, caller), ino, access);
    return handles.openReply(tx, inode);
  },
  release: ({ session }, tx, inos) => {
    for (const ino of inos) handles.releaseInode(tx, session, ino);
  },
  commit: (scope, tx, request) => {
    requireOwnSlices(tx, scope.session, request);
    const inode = commitExtents(tx, request, scope);
    const reply = { attr: attrOf(inode), unsettled: inode.marked };
    const { ino, setattr } = request;
    return setattr === undefined ? reply : { ...reply, ...changeBehind(scope, tx, ino, setattr) };
  },
  settle: (_, tx, slices) => settleSlices(tx, slices),
  abandon: ({ session }, tx, slices) => {
    // Those of a session that was lost have gone with it.
    abandonSlices(
      tx,
      slices.filter(({ slice }) => holdsSlice(tx, session, slice)),
    );
  },
  changeRange: (scope, tx, request) => ranges.changeRange(tx, request, scope.now),
  copyRange: (scope, tx, request) => ranges.copyRange(tx, request, scope),
  setxattr: (scope, tx, caller, ino, name, value, flags) =>
    attrOf(xattrs.setXattr(tx, caller, ino, name, value, flags, scope.now)),
  removexattr: (scope, tx, caller, ino, name) =>
    attrOf(xattrs.removeXattr(tx, caller, ino, name, scope.now)),
};

/** A change of attributes that came with a commit, which stands whatever becomes of it. */
function changeBehind(
  scope: Scope,
  tx: Transaction,
  ino: Ino,
  { caller, changes, handleOpen }: AttrRequest,
): { attr: Attr } | { refused: FsError } {
  try {
    const making = { now: scope.now, ids: scope.ids };
    const changed = attempt(tx, (part) =>
      changeAttributes(part, caller, ino, changes, handleOpen, making),
    );
    // Done again after a power cut, it must not be refused silently.
    scope.met(ino);
    return { attr: attrOf(changed) };
  } catch (error) {
    if (!isFsError(error)) throw error;
    return { refused: error };
  }
}

function newEntry(scope: Scope, caller: Caller, parent: Ino, name: Name): entries.NewEntry {
  return { caller, parent, name, now: scope.now, ids: scope.ids, witness: scope };
}

function making(scope: Scope, caller: Caller): Making {
  return { caller, now: scope.now, ids: scope.ids };
}

function loadRegular(tx: ReadTransaction, ino: Ino): Inode {
  const inode = loadInode(tx, ino);
  entries.requireRegular(inode);
  return inode;
}
