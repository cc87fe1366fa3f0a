// The vocabulary of the model-based tests: system calls as plain data, and what they come to. The
// reference model, a VFS in process, and a process on a directory all understand it.
import { isDeepStrictEqual } from "node:util";

/**
 * A place in a file that reads and writes happen at: nothing is ever written outside of the
 * windows.
 */
export interface Windows {
  readonly bases: readonly number[];
  readonly bytes: number;
}

/** One type an operation, so that each can be told from the others. */
type Each<Op extends string, Fields> = Op extends string ? { readonly op: Op } & Fields : never;

interface OfPath {
  readonly path: string;
}

interface OfSlot {
  readonly slot: number;
}

/** Paths are relative to the directory of the test, without "." and "..". */
export type PathStep =
  | Each<"mkdir" | "socket" | "chmod", OfPath & { readonly mode: number }>
  | { readonly op: "symlink"; readonly path: string; readonly target: string }
  | { readonly op: "link"; readonly path: string; readonly from: string }
  | { readonly op: "rename"; readonly path: string; readonly from: string; readonly flags: number }
  | Each<"unlink" | "rmdir" | "stat" | "lstat" | "readlink" | "list" | "listxattr", OfPath>
  | { readonly op: "chown"; readonly path: string; readonly uid: number; readonly gid: number }
  | { readonly op: "utimens"; readonly path: string; readonly sec: number }
  | { readonly op: "truncate"; readonly path: string; readonly size: number }
  | Each<"getxattr" | "removexattr", OfPath & { readonly name: string }>
  | {
      readonly op: "setxattr";
      readonly path: string;
      readonly name: string;
      readonly value: string;
      readonly flags: number;
    };

/** `slot` names an open file. */
export type HandleStep =
  | {
      readonly op: "open";
      readonly slot: number;
      readonly path: string;
      readonly flags: number;
      readonly mode: number;
    }
  | {
      readonly op: "tmpfile";
      readonly slot: number;
      readonly path: string;
      readonly mode: number;
    }
  | Each<"close" | "fsync" | "fdatasync" | "fstat", OfSlot>
  | Each<"fchmod", OfSlot & { readonly mode: number }>
  | Each<"futimens", OfSlot & { readonly sec: number }>
  | Each<"read", OfSlot & { offset: number; length: number }>
  | Each<"write", OfSlot & { offset: number; length: number; seed: number }>
  | { readonly op: "ftruncate"; readonly slot: number; readonly size: number }
  | {
      readonly op: "fallocate";
      readonly slot: number;
      readonly mode: number;
      readonly offset: number;
      readonly length: number;
    }
  | {
      readonly op: "copy";
      readonly slot: number;
      readonly offset: number;
      readonly to: number;
      readonly toOffset: number;
      readonly length: number;
    }
  | { readonly op: "linkfd"; readonly slot: number; readonly path: string };

/** `dump`: everything there is, by path. `content`: a file's size and the bytes of each window. */
export type Step =
  | PathStep
  | HandleStep
  | { readonly op: "dump" }
  | { readonly op: "content"; readonly path: string };

export type Outcome = { readonly errno: string } | { readonly value: unknown };

/** What lstat tells. Undefined: may be anything. */
export interface Told {
  readonly type: "file" | "dir" | "symlink" | "socket";
  readonly mode: number;
  readonly nlink: number | undefined;
  readonly size: number | undefined;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number | undefined;
}

/** One line of a dump. */
export interface DumpEntry extends Told {
  /** First path, in the order of the dump, that leads to the same inode. */
  readonly same: string;
  readonly target: string | undefined;
  readonly xattrs: Readonly<Record<string, string>>;
  /** SHA-1 of each window, as far as the file goes. */
  readonly content: readonly string[] | undefined;
}

export interface FileContent {
  readonly size: number;
  /** latin1. */
  readonly windows: readonly string[];
}

/** Something that carries out steps: a file system. */
export interface StepSystem {
  run(step: Step): Promise<Outcome>;
}

/** What a write with this seed writes: no zeroes, so that a lost byte is seen. */
export function bytesOf({ length, seed }: { length: number; seed: number }): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += 1) bytes[at] = ((seed * 37 + at * 11 + (at >> 8)) % 255) + 1;
  return bytes;
}

/** Whether `found` is what was expected; undefined in `expected` stands for anything. */
export function agrees(expected: unknown, found: unknown): boolean {
  if (expected === undefined) return true;
  if (typeof expected !== "object" || expected === null) return expected === found;
  if (typeof found !== "object" || found === null) return false;
  if (Array.isArray(expected)) return isDeepStrictEqual(expected, found);
  const names = new Set([...Object.keys(expected), ...Object.keys(found)]);
  return [...names].every((name) => {
    return agrees(Reflect.get(expected, name), Reflect.get(found, name));
  });
}
