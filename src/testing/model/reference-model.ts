// The reference model of a file system: names, attributes, open files and their bytes. Everything
// happens at once and nothing is stored, so that it can be checked by reading. What a crash may
// lose is kept track of as well.
import { isFsError } from "../../domain/errno.ts";
import {
  FALLOC_KEEP_SIZE,
  O_ACCMODE,
  O_APPEND,
  O_CREAT,
  O_EXCL,
  O_TRUNC,
  O_WRONLY,
} from "../../vfs/vfs.ts";
import { ModelData } from "./file-data.ts";
import {
  fail,
  walk,
  type ModelDirectory,
  type ModelFile,
  type ModelInode,
  type Place,
} from "./inodes.ts";
import { ModelNames, newborn, told } from "./names.ts";
import {
  bytesOf,
  type DumpEntry,
  type FileContent,
  type HandleStep,
  type Outcome,
  type Step,
  type Windows,
} from "./steps.ts";

export const O_DIRECTORY = 0o200000;
export const O_NOFOLLOW = 0o400000;

/** Told with a failure. */
const REMEMBERED_STEPS = 60;

interface ModelHandle {
  readonly inode: ModelFile | ModelDirectory;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly appends: boolean;
}

export class ReferenceModel {
  readonly windows: Windows;
  readonly #names = new ModelNames();
  readonly #handles = new Map<number, ModelHandle>();
  readonly #history: string[] = [];

  constructor(windows: Windows) {
    this.windows = windows;
  }

  /** What was run last, one step a line. */
  get history(): readonly string[] {
    return this.#history;
  }

  /** All there are. */
  get paths(): string[] {
    return [...this.#paths()].map(([path]) => path);
  }

  /** Open files, in ascending order. */
  get slots(): number[] {
    return [...this.#handles.keys()].sort((a, b) => a - b);
  }

  /**
   * False where an append would go behind the windows, and where a directory without a name would
   * be changed.
   */
  fits(step: Step): boolean {
    if (step.op === "fchmod" || step.op === "futimens") {
      const inode = this.#handles.get(step.slot)?.inode;
      return inode !== undefined && !this.#isRemoved(inode);
    }
    if (step.op !== "write") return true;
    const handle = this.#handles.get(step.slot);
    if (handle?.appends !== true || handle.inode.type !== "file") return true;
    const { sizeBytes } = handle.inode.data;
    const { bases, bytes } = this.windows;
    return bases.some((base) => sizeBytes >= base && sizeBytes + step.length <= base + bytes);
  }

  run(step: Step): Outcome {
    this.note(JSON.stringify(step));
    try {
      return { value: this.#apply(step) };
    } catch (error) {
      if (isFsError(error)) return { errno: error.code };
      throw error;
    }
  }

  /** Tells of something that happened besides the steps. */
  note(what: string): void {
    this.#history.push(what);
    if (this.#history.length > REMEMBERED_STEPS) this.#history.shift();
  }

  dump(): Record<string, DumpEntry> {
    const entries: Record<string, DumpEntry> = {};
    const first = new Map<ModelInode, string>();
    for (const [path, inode] of this.#paths()) {
      const same = first.get(inode) ?? path;
      first.set(inode, same);
      entries[path] = {
        ...told(inode),
        same,
        target: inode.type === "symlink" ? inode.target : undefined,
        xattrs: Object.fromEntries([...inode.xattrs].sort()),
        content: inode.type === "file" ? inode.data.hashes() : undefined,
      };
    }
    return entries;
  }

  /**
   * The client died: handles are gone, and what wasn't settled is one of the things that it was.
   */
  crash(): void {
    this.#handles.clear();
  }

  /** Files that a crash may have left in another state than the last one. */
  doubtful(): string[] {
    const files = [...this.#paths()].filter(([, inode]) => {
      return inode.type === "file" && !inode.data.settled;
    });
    return files.map(([path]) => path);
  }

  /** Takes over what a crash left of a doubtful file; returns what can't be there. */
  adopt(path: string, found: FileContent): string[] {
    const inode = this.#names.find(path, false);
    if (inode.type !== "file" || inode.data.settled) return [];
    inode.mtime = undefined;
    return inode.data.adopt(found);
  }

  /** An inode may stand under several paths. */
  *#paths(
    directory: ModelDirectory = this.#names.root,
    prefix = "",
  ): Generator<[string, ModelInode]> {
    const entries = [...directory.entries].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [name, inode] of entries) {
      const path = `${prefix}${name}`;
      yield [path, inode];
      if (inode.type === "dir") yield* this.#paths(inode, `${path}/`);
    }
  }

  #apply(step: Step): unknown {
    if (step.op === "dump") return this.dump();
    if (step.op === "content") return fail("EINVAL");
    if ("slot" in step) return this.#handleStep(step);
    const value = this.#names.apply(step);
    if (step.op === "truncate") this.#settleUnlessOpen(this.#names.find(step.path));
    return value;
  }

  #handleStep(step: HandleStep): unknown {
    if (step.op === "open") return this.#open(step);
    if (step.op === "tmpfile") return this.#unnamed(step);
    const handle = this.#handles.get(step.slot);
    if (handle === undefined) return fail("EBADF");
    const { inode } = handle;
    switch (step.op) {
      case "close":
        this.#handles.delete(step.slot);
        // The close of a reader says nothing of what others have written.
        if (inode.type === "file" && handle.writable) inode.data.settle();
        return null;
      case "fsync":
      case "fdatasync":
        if (inode.type === "file") inode.data.settle();
        return null;
      case "fstat":
        return { ...told(inode), ...(this.#isRemoved(inode) ? { nlink: undefined } : {}) };
      case "fchmod":
        inode.mode = step.mode;
        return null;
      case "futimens":
        inode.mtime = inode.type === "dir" ? undefined : step.sec;
        return null;
      case "linkfd":
        this.#names.linkInode(inode, step.path);
        return null;
      case "read":
        if (!handle.readable) fail("EBADF");
        if (inode.type === "dir") return fail("EISDIR");
        return inode.data.read(step.offset, step.length).toString("latin1");
      default:
        return this.#change(step, handle);
    }
  }

  #change(
    step: Extract<HandleStep, { op: "write" | "ftruncate" | "fallocate" | "copy" }>,
    { inode, writable, appends, readable }: ModelHandle,
  ): unknown {
    if (step.op === "copy") return this.#copy(step, { inode, readable });
    if (!writable || inode.type !== "file") {
      return fail(step.op === "ftruncate" ? "EINVAL" : "EBADF");
    }
    const { data } = inode;
    inode.mtime = undefined;
    switch (step.op) {
      case "write": {
        const offset = appends ? data.sizeBytes : step.offset;
        data.write(offset, bytesOf(step));
        return step.length;
      }
      case "ftruncate":
        data.truncate(step.size);
        return null;
      case "fallocate": {
        const grows = (step.mode & FALLOC_KEEP_SIZE) === 0;
        // Without a mode it only grows: bytes stay.
        if ((step.mode & ~FALLOC_KEEP_SIZE) !== 0) data.clear(step.offset, step.length, grows);
        else if (grows) data.extend(step.offset + step.length);
        return null;
      }
    }
  }

  #copy(
    step: Extract<HandleStep, { op: "copy" }>,
    source: Pick<ModelHandle, "inode" | "readable">,
  ): number {
    const target = this.#handles.get(step.to);
    if (target === undefined) return fail("EBADF");
    if (source.inode.type === "dir" || target.inode.type === "dir") return fail("EISDIR");
    if (!source.readable || !target.writable || target.appends) fail("EBADF");
    const bytes = source.inode.data.read(step.offset, step.length);
    const overlaps =
      step.toOffset + bytes.length > step.offset && step.toOffset < step.offset + bytes.length;
    if (source.inode === target.inode && overlaps) fail("EINVAL");
    if (bytes.length > 0) target.inode.mtime = undefined;
    target.inode.data.write(step.toOffset, bytes);
    return bytes.length;
  }

  #open(step: Extract<HandleStep, { op: "open" }>): null {
    const { flags } = step;
    const { inode, created } = this.#opened(step);
    const access = flags & O_ACCMODE;
    if (inode.type === "dir" && (flags & O_CREAT) !== 0) return fail("EISDIR");
    if (inode.type !== "dir" && (flags & O_DIRECTORY) !== 0) return fail("ENOTDIR");
    if (inode.type === "symlink") return fail("ELOOP");
    if (inode.type === "dir" && (access !== 0 || (flags & O_TRUNC) !== 0)) return fail("EISDIR");
    if (inode.type === "socket") return fail("ENXIO");
    if (inode.type === "file" && (flags & O_TRUNC) !== 0 && !created) {
      inode.data.truncate(0);
      inode.mtime = undefined;
      this.#settleUnlessOpen(inode);
    }
    this.#handles.set(step.slot, {
      inode,
      readable: access !== O_WRONLY,
      writable: access !== 0,
      appends: (flags & O_APPEND) !== 0,
    });
    return null;
  }

  /** What open(2) finds, or makes. */
  #opened({ path, flags, mode }: { path: string; flags: number; mode: number }): {
    inode: ModelInode;
    created: boolean;
  } {
    const creates = (flags & O_CREAT) !== 0;
    const exclusive = creates && (flags & O_EXCL) !== 0;
    const follows = !exclusive && (flags & O_NOFOLLOW) === 0;
    const { parent, name, inode } = walk(this.#names.root, path, follows);
    if (inode !== undefined) {
      if (exclusive) fail("EEXIST");
      return { inode, created: false };
    }
    if (!creates) return fail("ENOENT");
    return { inode: this.#birth({ parent, name, inode }, mode), created: true };
  }

  #birth({ parent, name }: Place, mode: number): ModelFile {
    const data = new ModelData(this.windows);
    const file: ModelFile = { type: "file", ...newborn(parent, mode), data };
    parent.entries.set(name, file);
    return file;
  }

  #unnamed({ slot, path, mode }: Extract<HandleStep, { op: "tmpfile" }>): null {
    const directory = this.#names.find(path);
    if (directory.type !== "dir") return fail("ENOTDIR");
    const data = new ModelData(this.windows);
    const born = { ...newborn(directory, mode), nlink: 0, linkable: true };
    const inode: ModelFile = { type: "file", ...born, data };
    this.#handles.set(slot, { inode, readable: true, writable: true, appends: false });
    return null;
  }

  #isRemoved(inode: ModelInode): boolean {
    return inode.type === "dir" && inode !== this.#names.root && !this.#reaches(inode);
  }

  #reaches(directory: ModelDirectory): boolean {
    for (const [, inode] of this.#paths()) if (inode === directory) return true;
    return false;
  }

  #settleUnlessOpen(inode: ModelInode): void {
    if (inode.type !== "file") return;
    for (const handle of this.#handles.values()) if (handle.inode === inode) return;
    inode.data.settle();
  }
}
