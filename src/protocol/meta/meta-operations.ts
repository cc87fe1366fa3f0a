// The operations of MetaService, one row each: number on the wire, what it does, whether it may be
// repeated, codecs. Proxy, wire, dispatch and wrappers are made from this table.
import { MAX_COMMIT_EXTENTS, MAX_RPC_LIST, MAX_UNSETTLED_PAGE } from "./limits.ts";
import {
  MAX_DAMAGE_REPORTS,
  MAX_SYMLINK_BYTES,
  MAX_XATTR_LIST_BYTES,
  MAX_XATTR_VALUE_BYTES,
} from "../../domain/limits.ts";
import type { MetaService } from "./meta-service.ts";
import { damageCodec, mapsCodec } from "./wire-cluster.ts";
import {
  lockConflictCodec,
  lockQueryCodec,
  lockReplyCodec,
  lockRequestCodec,
} from "./wire-locks.ts";
import {
  commitCodec,
  commitReplyCodec,
  createRequestCodec,
  extentCommitCodec,
  openAccessCodec,
  sliceRangeCodec,
} from "./wire-commit.ts";
import { dataRunCodec, rangeChangeCodec, rangeCopyCodec, rangeReplyCodec } from "./wire-ranges.ts";
import {
  renameReplyCodec,
  sliceCodec,
  slicePlaceCodec,
  syncedCodec,
  unsettledPageCodec,
  walkPlaceCodec,
} from "./wire-settling.ts";
import { type Codec } from "../rpc/wire-readers.ts";
import {
  attrChangesCodec,
  attrCodec,
  bytesCodec,
  callerCodec,
  chunkCodec,
  countCodec,
  createReplyCodec,
  flagCodec,
  inoCodec,
  latin1Codec,
  listCodec,
  nameCodec,
  nothingCodec,
  openReplyCodec,
  pageCodec,
  statFsCodec,
} from "./wire-values.ts";

export type MetaOperation = keyof MetaService;
export type MetaArgs<O extends MetaOperation> = Parameters<MetaService[O]>;
export type MetaResult<O extends MetaOperation> = Awaited<ReturnType<MetaService[O]>>;

/** Raised whenever a message changes its meaning; both ends must agree. */
export const RPC_VERSION = 5;

type ArgCodecs<A extends readonly unknown[]> = { readonly [I in keyof A]: Codec<A[I]> };

/**
 * A change is a transaction that writes the namespace. once: it takes a reply slot and is done
 * exactly once; again: repeating it does no harm.
 */
interface Change {
  readonly kind: "change";
  readonly runs: "once" | "again";
  /** It adds to the store, so it is refused while there is no room; the others may add a little. */
  readonly grows?: true;
  /** Of the old session, it is done with that session's end. */
  readonly doneBySessionEnd?: true;
}

/** A read is a transaction that only looks at the namespace; a service is no transaction of it. */
interface Look {
  readonly kind: "read" | "service";
  readonly runs: "again";
}

export type Row<O extends MetaOperation> = (Change | Look) & {
  /** On the wire; never given to another operation. */
  readonly number: number;
  readonly args: ArgCodecs<MetaArgs<O>>;
  readonly result: Codec<MetaResult<O>>;
};

/** Longer than any legal name, so that the namespace itself answers ERANGE. */
const xattrName = latin1Codec(4096);
/** One more than allowed, so that the namespace itself answers ENAMETOOLONG. */
const symlinkTarget = latin1Codec(MAX_SYMLINK_BYTES + 1);
const caller = callerCodec;
const ino = inoCodec;
const name = nameCodec;
const count = countCodec;
const flag = flagCodec;
const attr = attrCodec;
const nothing = nothingCodec;

export const META_OPERATIONS = {
  lookup: { number: 0, kind: "read", runs: "again", args: [caller, ino, name], result: attr },
  getattr: { number: 1, kind: "read", runs: "again", args: [ino], result: attr },
  setattr: {
    number: 2,
    kind: "change",
    runs: "once",
    args: [caller, ino, attrChangesCodec, flag],
    result: attr,
  },
  create: {
    number: 3,
    kind: "change",
    runs: "once",
    grows: true,
    args: [caller, ino, name, createRequestCodec, flag],
    result: createReplyCodec,
  },
  mkdir: {
    number: 4,
    kind: "change",
    runs: "once",
    grows: true,
    args: [caller, ino, name, count],
    result: attr,
  },
  mknod: {
    number: 5,
    kind: "change",
    runs: "once",
    grows: true,
    args: [caller, ino, name, createRequestCodec],
    result: attr,
  },
  symlink: {
    number: 6,
    kind: "change",
    runs: "once",
    grows: true,
    args: [caller, ino, name, symlinkTarget],
    result: attr,
  },
  readlink: { number: 7, kind: "read", runs: "again", args: [caller, ino], result: symlinkTarget },
  link: {
    number: 8,
    kind: "change",
    runs: "once",
    grows: true,
    args: [caller, ino, ino, name],
    result: attr,
  },
  unlink: { number: 9, kind: "change", runs: "once", args: [caller, ino, name], result: nothing },
  rmdir: { number: 10, kind: "change", runs: "once", args: [caller, ino, name], result: nothing },
  rename: {
    number: 11,
    kind: "change",
    runs: "once",
    args: [caller, ino, name, ino, name, count, syncedCodec],
    result: renameReplyCodec,
  },
  readdir: {
    number: 12,
    kind: "read",
    runs: "again",
    args: [caller, ino, count, count, flag],
    result: pageCodec,
  },
  open: {
    number: 14,
    kind: "change",
    runs: "once",
    args: [caller, ino, openAccessCodec],
    result: openReplyCodec,
  },
  release: {
    number: 15,
    kind: "change",
    runs: "once",
    doneBySessionEnd: true,
    args: [listCodec(ino, MAX_RPC_LIST)],
    result: nothing,
  },
  extents: {
    number: 16,
    kind: "read",
    runs: "again",
    args: [ino, listCodec(count, MAX_RPC_LIST)],
    result: listCodec(chunkCodec, MAX_RPC_LIST),
  },
  commit: {
    number: 17,
    kind: "change",
    runs: "once",
    grows: true,
    args: [commitCodec],
    result: commitReplyCodec,
  },
  // A range whose answer is lost is merely never used; gc deals with it as with any other.
  allocateSlices: { number: 18, kind: "service", runs: "again", args: [], result: sliceRangeCodec },
  syncMetadata: { number: 19, kind: "service", runs: "again", args: [], result: nothing },
  getxattr: {
    number: 20,
    kind: "read",
    runs: "again",
    args: [caller, ino, xattrName],
    result: bytesCodec(MAX_XATTR_VALUE_BYTES),
  },
  setxattr: {
    number: 21,
    kind: "change",
    runs: "once",
    grows: true,
    args: [caller, ino, xattrName, bytesCodec(MAX_XATTR_VALUE_BYTES), count],
    result: attr,
  },
  listxattr: {
    number: 22,
    kind: "read",
    runs: "again",
    args: [caller, ino],
    result: listCodec(xattrName, MAX_XATTR_LIST_BYTES),
  },
  removexattr: {
    number: 23,
    kind: "change",
    runs: "once",
    args: [caller, ino, xattrName],
    result: attr,
  },
  statfs: { number: 24, kind: "service", runs: "again", args: [], result: statFsCodec },
  maps: { number: 25, kind: "service", runs: "again", args: [], result: mapsCodec },
  reportDamage: {
    number: 26,
    kind: "service",
    runs: "again",
    args: [listCodec(damageCodec, MAX_DAMAGE_REPORTS)],
    result: nothing,
  },
  createUnnamed: {
    number: 27,
    kind: "change",
    runs: "once",
    grows: true,
    args: [caller, ino, count],
    result: openReplyCodec,
  },
  nextData: { number: 28, kind: "read", runs: "again", args: [ino, count], result: dataRunCodec },
  changeRange: {
    number: 29,
    kind: "change",
    runs: "once",
    args: [rangeChangeCodec],
    result: rangeReplyCodec,
  },
  copyRange: {
    number: 30,
    kind: "change",
    runs: "once",
    grows: true,
    args: [rangeCopyCodec],
    result: rangeReplyCodec,
  },
  getlk: {
    number: 31,
    kind: "service",
    runs: "again",
    args: [lockQueryCodec],
    result: lockConflictCodec,
  },
  // Repeated, they find the lock as they left it, unless the same owner has changed it meanwhile.
  setlk: {
    number: 32,
    kind: "service",
    runs: "again",
    args: [lockRequestCodec],
    result: lockReplyCodec,
  },
  cancelLock: {
    number: 33,
    kind: "service",
    runs: "again",
    args: [lockRequestCodec],
    result: flag,
  },
  abandon: {
    number: 34,
    kind: "change",
    runs: "again",
    args: [listCodec(extentCommitCodec, MAX_COMMIT_EXTENTS)],
    result: nothing,
  },
  syncFile: {
    number: 35,
    kind: "service",
    runs: "again",
    args: [ino, sliceCodec],
    result: unsettledPageCodec,
  },
  syncSession: {
    number: 36,
    kind: "service",
    runs: "again",
    args: [walkPlaceCodec],
    result: unsettledPageCodec,
  },
  settle: {
    number: 37,
    kind: "change",
    runs: "again",
    args: [listCodec(slicePlaceCodec, MAX_UNSETTLED_PAGE)],
    result: nothing,
  },
} as const satisfies { readonly [O in MetaOperation]: Row<O> };

type OfKind<K extends Row<MetaOperation>["kind"]> = {
  [O in MetaOperation]: (typeof META_OPERATIONS)[O]["kind"] extends K ? O : never;
}[MetaOperation];
export type ReadOperation = OfKind<"read">;
export type ChangeOperation = OfKind<"change">;
export type ServiceOperation = OfKind<"service">;

const ROWS: { readonly [O in MetaOperation]: Row<O> } = META_OPERATIONS;

/** The operation's row, of a type that keeps its arguments, results and codecs together. */
export function rowOf<O extends MetaOperation>(operation: O): Row<O> {
  return ROWS[operation];
}
