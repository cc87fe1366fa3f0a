// The methods of Vfs as a table: what each argument is, what the answer carries, and whether the
// caller's rights are judged. Views over another Vfs are made from it. A method without a row, or a
// row that doesn't fit its method's type, doesn't compile.
import type { Attr, AttrChanges, Caller } from "../domain/attributes.ts";
import type { Ino } from "../domain/ids.ts";
import type { DirEntry } from "../protocol/meta/meta-service.ts";
import type { OpenResult, Vfs } from "./vfs.ts";

export type VfsMethod = keyof Vfs;
export type VfsCall<M extends VfsMethod> = NonNullable<Vfs[M]>;

/** Kinds of arguments that a view may have to translate; all others are "plain". */
export interface ArgumentTypes {
  caller: Caller;
  ino: Ino;
  changes: AttrChanges;
  xattrName: string;
  xattrValue: Uint8Array;
}
export type ArgumentKind = keyof ArgumentTypes | "plain";

/** Kinds of answers that a view may have to translate. */
export interface ResultTypes {
  attr: Attr;
  opened: OpenResult;
  entries: readonly DirEntry[];
  xattrValue: Uint8Array;
}
export type ResultKind = keyof ResultTypes | "plain";

type Same<A, B> = [A, B] extends [B, A] ? true : false;
type KindsIn<Types, T> = {
  [K in keyof Types]: Same<T, Types[K]> extends true ? K : never;
}[keyof Types];
type KindOf<Types, T> = [KindsIn<Types, T>] extends [never] ? "plain" : KindsIn<Types, T>;

/** Any text may be the name of an xattr, any bytes the value of one: their rows must say. */
type ArgumentKindOf<T> = T extends string | Uint8Array
  ? KindOf<ArgumentTypes, T> | "plain"
  : KindOf<ArgumentTypes, T>;
type Takes<Arguments extends readonly unknown[]> = {
  readonly [I in keyof Arguments]: ArgumentKindOf<Arguments[I]>;
};
type ArgumentsOf<M extends VfsMethod> = Required<Parameters<VfsCall<M>>>;

interface TypedRow<M extends VfsMethod> {
  readonly takes: Takes<ArgumentsOf<M>>;
  readonly gives: KindOf<ResultTypes, Awaited<ReturnType<VfsCall<M>>>>;
  /**
   * The first argument's rights decide, now: EACCES and EPERM tell of them. Not so by handle, where
   * opening has decided.
   */
  readonly judges: ArgumentsOf<M> extends [Caller, ...unknown[]] ? boolean : false;
}

/** A row as those see it who work on all methods alike. */
export interface VfsRow {
  readonly takes: readonly ArgumentKind[];
  readonly gives: ResultKind;
  readonly judges: boolean;
}

export const VFS_TABLE: { readonly [M in VfsMethod]-?: TypedRow<M> } = {
  lookup: { takes: ["caller", "ino", "plain"], gives: "attr", judges: true },
  forget: { takes: ["ino", "plain"], gives: "plain", judges: false },
  getattr: { takes: ["caller", "ino", "plain"], gives: "attr", judges: false },
  setattr: { takes: ["caller", "ino", "changes", "plain"], gives: "attr", judges: true },
  readlink: { takes: ["caller", "ino"], gives: "plain", judges: true },
  symlink: { takes: ["caller", "ino", "plain", "plain"], gives: "attr", judges: true },
  mknod: { takes: ["caller", "ino", "plain", "plain", "plain"], gives: "attr", judges: true },
  mkdir: { takes: ["caller", "ino", "plain", "plain"], gives: "attr", judges: true },
  unlink: { takes: ["caller", "ino", "plain"], gives: "plain", judges: true },
  rmdir: { takes: ["caller", "ino", "plain"], gives: "plain", judges: true },
  rename: {
    takes: ["caller", "ino", "plain", "ino", "plain", "plain"],
    gives: "plain",
    judges: true,
  },
  link: { takes: ["caller", "ino", "ino", "plain"], gives: "attr", judges: true },

  create: { takes: ["caller", "ino", "plain", "plain", "plain"], gives: "opened", judges: true },
  createUnnamed: { takes: ["caller", "ino", "plain", "plain"], gives: "opened", judges: true },
  open: { takes: ["caller", "ino", "plain"], gives: "opened", judges: true },
  read: { takes: ["plain", "plain", "plain"], gives: "plain", judges: false },
  write: { takes: ["plain", "plain", "plain", "plain"], gives: "plain", judges: false },
  fallocate: {
    takes: ["caller", "plain", "plain", "plain", "plain"],
    gives: "plain",
    judges: false,
  },
  seek: { takes: ["plain", "plain", "plain"], gives: "plain", judges: false },
  copyRange: { takes: ["caller", "plain", "plain", "plain"], gives: "plain", judges: false },
  flush: { takes: ["plain", "plain"], gives: "plain", judges: false },
  fsync: { takes: ["plain", "plain"], gives: "plain", judges: false },
  release: { takes: ["plain"], gives: "plain", judges: false },

  opendir: { takes: ["caller", "ino"], gives: "plain", judges: true },
  readdir: { takes: ["plain", "plain", "plain"], gives: "entries", judges: false },
  releasedir: { takes: ["plain"], gives: "plain", judges: false },
  fsyncdir: { takes: ["plain"], gives: "plain", judges: false },

  getlk: { takes: ["plain", "plain"], gives: "plain", judges: false },
  setlk: { takes: ["plain", "plain", "plain"], gives: "plain", judges: false },

  getxattr: { takes: ["caller", "ino", "xattrName"], gives: "xattrValue", judges: true },
  setxattr: {
    takes: ["caller", "ino", "xattrName", "xattrValue", "plain"],
    gives: "plain",
    judges: true,
  },
  listxattr: { takes: ["caller", "ino"], gives: "plain", judges: true },
  removexattr: { takes: ["caller", "ino", "xattrName"], gives: "plain", judges: true },
  statfs: { takes: [], gives: "plain", judges: false },
  syncfs: { takes: [], gives: "plain", judges: false },
  close: { takes: [], gives: "plain", judges: false },
};

// An object's keys are strings to the compiler; the table's type says which.
export const VFS_METHODS = Object.keys(VFS_TABLE) as readonly VfsMethod[];
