// The methods of MetaService on the wire: numbers, whether they may be repeated, codecs.
import { FsError } from "../../domain/errno.ts";
import { MAX_COMMIT_EXTENTS, MAX_RPC_LIST } from "./limits.ts";
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
  createRequestCodec,
  extentCommitCodec,
  openAccessCodec,
  sliceRangeCodec,
} from "./wire-commit.ts";
import { dataRunCodec, rangeChangeCodec, rangeCopyCodec, rangeReplyCodec } from "./wire-ranges.ts";
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
  type Codec,
} from "./wire-values.ts";

export type MetaMethod = keyof MetaService;
export type MetaArgs<M extends MetaMethod> = Parameters<MetaService[M]>;
export type MetaResult<M extends MetaMethod> = Awaited<ReturnType<MetaService[M]>>;

/** Raised whenever a message changes its meaning; both ends must agree. */
export const RPC_VERSION = 2;

/** A method's number on the wire is its place here: append only. */
export const META_METHODS = [
  "lookup",
  "getattr",
  "setattr",
  "create",
  "mkdir",
  "mknod",
  "symlink",
  "readlink",
  "link",
  "unlink",
  "rmdir",
  "rename",
  "readdir",
  "parentOf",
  "open",
  "release",
  "extents",
  "commit",
  "allocateSlices",
  "syncMetadata",
  "getxattr",
  "setxattr",
  "listxattr",
  "removexattr",
  "statfs",
  "maps",
  "reportDamage",
  "createUnnamed",
  "nextData",
  "changeRange",
  "copyRange",
  "getlk",
  "setlk",
  "cancelLock",
  "abandon",
] as const satisfies readonly MetaMethod[];

type ArgCodecs<A extends readonly unknown[]> = { readonly [I in keyof A]: Codec<A[I]> };

interface MethodCodec<M extends MetaMethod> {
  /**
   * once: it changes something, so it takes a reply slot and runs exactly once.
   * again: repeating it does no harm.
   */
  readonly runs: "once" | "again";
  readonly args: ArgCodecs<MetaArgs<M>>;
  readonly result: Codec<MetaResult<M>>;
}

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

export const META_CODECS: { readonly [M in MetaMethod]: MethodCodec<M> } = {
  lookup: { runs: "again", args: [caller, ino, name], result: attr },
  getattr: { runs: "again", args: [ino], result: attr },
  setattr: { runs: "once", args: [caller, ino, attrChangesCodec, flag], result: attr },
  create: {
    runs: "once",
    args: [caller, ino, name, createRequestCodec, flag],
    result: createReplyCodec,
  },
  mkdir: { runs: "once", args: [caller, ino, name, count], result: attr },
  mknod: { runs: "once", args: [caller, ino, name, createRequestCodec], result: attr },
  symlink: { runs: "once", args: [caller, ino, name, symlinkTarget], result: attr },
  readlink: { runs: "again", args: [caller, ino], result: symlinkTarget },
  link: { runs: "once", args: [caller, ino, ino, name], result: attr },
  unlink: { runs: "once", args: [caller, ino, name], result: nothing },
  rmdir: { runs: "once", args: [caller, ino, name], result: nothing },
  rename: { runs: "once", args: [caller, ino, name, ino, name, count], result: nothing },
  readdir: { runs: "again", args: [caller, ino, count, count, flag], result: pageCodec },
  parentOf: { runs: "again", args: [ino], result: ino },
  open: { runs: "once", args: [caller, ino, openAccessCodec], result: openReplyCodec },
  release: { runs: "once", args: [listCodec(ino, MAX_RPC_LIST)], result: nothing },
  extents: {
    runs: "again",
    args: [ino, listCodec(count, MAX_RPC_LIST)],
    result: listCodec(chunkCodec, MAX_RPC_LIST),
  },
  commit: { runs: "once", args: [commitCodec], result: attr },
  abandon: {
    runs: "again",
    args: [listCodec(extentCommitCodec, MAX_COMMIT_EXTENTS)],
    result: nothing,
  },
  // A range whose answer is lost is merely never used; gc deals with it as with any other.
  allocateSlices: { runs: "again", args: [], result: sliceRangeCodec },
  syncMetadata: { runs: "again", args: [], result: nothing },
  getxattr: {
    runs: "again",
    args: [caller, ino, xattrName],
    result: bytesCodec(MAX_XATTR_VALUE_BYTES),
  },
  setxattr: {
    runs: "once",
    args: [caller, ino, xattrName, bytesCodec(MAX_XATTR_VALUE_BYTES), count],
    result: nothing,
  },
  listxattr: {
    runs: "again",
    args: [caller, ino],
    result: listCodec(xattrName, MAX_XATTR_LIST_BYTES),
  },
  removexattr: { runs: "once", args: [caller, ino, xattrName], result: nothing },
  statfs: { runs: "again", args: [], result: statFsCodec },
  createUnnamed: { runs: "once", args: [caller, ino, count], result: openReplyCodec },
  nextData: { runs: "again", args: [ino, count], result: dataRunCodec },
  changeRange: { runs: "once", args: [rangeChangeCodec], result: rangeReplyCodec },
  copyRange: { runs: "once", args: [rangeCopyCodec], result: rangeReplyCodec },
  getlk: { runs: "again", args: [lockQueryCodec], result: lockConflictCodec },
  // Repeated, they find the lock as they left it, unless the same owner has changed it meanwhile.
  setlk: { runs: "again", args: [lockRequestCodec], result: lockReplyCodec },
  cancelLock: { runs: "again", args: [lockRequestCodec], result: flag },
  maps: { runs: "again", args: [], result: mapsCodec },
  reportDamage: {
    runs: "again",
    args: [listCodec(damageCodec, MAX_DAMAGE_REPORTS)],
    result: nothing,
  },
};

/** A codec whose types are known only to the method it belongs to. */
interface UntypedCodec {
  pack(value: unknown): unknown;
  read(raw: unknown): unknown;
}

/** One method's codecs by number, for code that treats all methods alike. */
export interface WireMethod {
  readonly name: MetaMethod;
  readonly index: number;
  readonly once: boolean;
  readonly args: readonly UntypedCodec[];
  readonly result: UntypedCodec;
}

export const WIRE_METHODS: readonly WireMethod[] = META_METHODS.map((method, index) => {
  const codec = META_CODECS[method];
  // Each method's values meet only its own codecs, which META_CODECS pairs up by type.
  const { args, result } = codec as unknown as Pick<WireMethod, "args" | "result">;
  return { name: method, index, once: codec.runs === "once", args, result };
});

export function packArgs(method: WireMethod, args: readonly unknown[]): unknown[] {
  return method.args.map((codec, position) => codec.pack(args[position]));
}

/** @throws FsError EPROTO (malformed), or the errno of a value no file system accepts */
export function readArgs(method: WireMethod, raw: unknown): unknown[] {
  if (!Array.isArray(raw) || raw.length !== method.args.length) {
    throw new FsError("EPROTO", `malformed message: arguments of ${method.name}`);
  }
  return method.args.map((codec, position) => codec.read(raw[position]));
}
