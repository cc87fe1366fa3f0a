// What each request does to the namespace, as synchronous steps of a transaction.
import { FsError } from "../../domain/errno.ts";
import type { SessionId } from "../../domain/ids.ts";
import { MAX_READDIR_ENTRIES } from "../../protocol/meta/limits.ts";
import type { CommitRequest } from "../../protocol/meta/meta-service.ts";
import type { MetaArgs, MetaMethod, MetaResult } from "../../protocol/meta/methods.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import type { Namespace } from "../namespace/namespace.ts";
import { holdsSlice } from "../schema/session-records.ts";

/** On what and for whom an operation is done. */
export interface Scope {
  readonly namespace: Namespace;
  readonly session: SessionId;
}

export type ReadMethod =
  | "lookup"
  | "getattr"
  | "readlink"
  | "readdir"
  | "parentOf"
  | "extents"
  | "nextData"
  | "getxattr"
  | "listxattr";

export type ChangeMethod =
  | "setattr"
  | "create"
  | "createUnnamed"
  | "mkdir"
  | "mknod"
  | "symlink"
  | "link"
  | "unlink"
  | "rmdir"
  | "rename"
  | "open"
  | "release"
  | "commit"
  | "abandon"
  | "changeRange"
  | "copyRange"
  | "setxattr"
  | "removexattr";

type Operation<M extends MetaMethod, T> = (
  scope: Scope,
  tx: T,
  ...args: MetaArgs<M>
) => MetaResult<M>;

export const READS: { readonly [M in ReadMethod]: Operation<M, ReadTransaction> } = {
  lookup: ({ namespace }, tx, ...args) => namespace.lookup(tx, ...args),
  getattr: ({ namespace }, tx, ino) => namespace.getattr(tx, ino),
  readlink: ({ namespace }, tx, ...args) => namespace.readlink(tx, ...args),
  readdir: ({ namespace }, tx, caller, ino, cursor, limit, withAttrs) =>
    namespace.readdir(tx, caller, ino, cursor, clampPage(limit), withAttrs),
  parentOf: ({ namespace }, tx, ino) => namespace.parentOf(tx, ino),
  extents: ({ namespace }, tx, ...args) => namespace.extents(tx, ...args),
  nextData: ({ namespace }, tx, ...args) => namespace.nextData(tx, ...args),
  getxattr: ({ namespace }, tx, ...args) => namespace.getxattr(tx, ...args),
  listxattr: ({ namespace }, tx, ...args) => namespace.listxattr(tx, ...args),
};

export const CHANGES: { readonly [M in ChangeMethod]: Operation<M, Transaction> } = {
  setattr: ({ namespace }, tx, ...args) => namespace.setattr(tx, ...args),
  create: ({ namespace, session }, tx, ...args) => namespace.create(tx, session, ...args),
  createUnnamed: ({ namespace, session }, tx, ...args) =>
    namespace.createUnnamed(tx, session, ...args),
  mkdir: ({ namespace }, tx, ...args) => namespace.mkdir(tx, ...args),
  mknod: ({ namespace }, tx, ...args) => namespace.mknod(tx, ...args),
  symlink: ({ namespace }, tx, ...args) => namespace.symlink(tx, ...args),
  link: ({ namespace }, tx, ...args) => namespace.link(tx, ...args),
  unlink: ({ namespace }, tx, ...args) => namespace.unlink(tx, ...args),
  rmdir: ({ namespace }, tx, ...args) => namespace.rmdir(tx, ...args),
  rename: ({ namespace }, tx, ...args) => namespace.rename(tx, ...args),
  open: ({ namespace, session }, tx, ...args) => namespace.open(tx, session, ...args),
  release: ({ namespace, session }, tx, inos) => namespace.release(tx, session, inos),
  commit: ({ namespace, session }, tx, request) => {
    requireOwnSlices(tx, session, request);
    return namespace.commit(tx, request);
  },
  abandon: ({ namespace, session }, tx, slices) => {
    // Those of a session that was lost have gone with it.
    namespace.abandon(
      tx,
      slices.filter(({ slice }) => holdsSlice(tx, session, slice)),
    );
  },
  changeRange: ({ namespace }, tx, request) => namespace.changeRange(tx, request),
  copyRange: ({ namespace }, tx, request) => namespace.copyRange(tx, request),
  setxattr: ({ namespace }, tx, ...args) => namespace.setxattr(tx, ...args),
  removexattr: ({ namespace }, tx, ...args) => namespace.removexattr(tx, ...args),
};

/**
 * Changes that add to the store, refused while it has no room; the others may add a little, too.
 */
export const GROWING: ReadonlySet<ChangeMethod> = new Set([
  "create",
  "createUnnamed",
  "mkdir",
  "mknod",
  "symlink",
  "link",
  "commit",
  "copyRange",
  "setxattr",
]);

function clampPage(limit: number): number {
  return Math.max(1, Math.min(limit, MAX_READDIR_ENTRIES));
}

/**
 * A slice of a session that has ended may be garbage already: only this one's may be committed.
 * @throws FsError ESTALE
 */
function requireOwnSlices(
  tx: ReadTransaction,
  session: SessionId,
  { extents }: CommitRequest,
): void {
  for (const { slice } of extents) {
    if (!holdsSlice(tx, session, slice)) {
      throw new FsError("ESTALE", `slice ${slice} was not handed to this session`);
    }
  }
}
