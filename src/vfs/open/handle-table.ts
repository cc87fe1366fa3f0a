// Handle numbers and what stands behind them.
import type { Caller } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import { invariant } from "../../domain/invariant.ts";
import type { DirectoryReader } from "./directory-reader.ts";
import type { FileData } from "./file-data.ts";
import type { ReadCursor } from "../read/file-reader.ts";
import type { FileHandle } from "../vfs.ts";

export interface OpenHandle {
  readonly file: FileData;
  readonly caller: Caller;
  readonly readable: boolean;
  readonly writable: boolean;
  /** Opened to be run, by right of execution. */
  readonly executed: boolean;
  /** O_SYNC or O_DSYNC: each write is on disk before it is acknowledged. */
  readonly syncWrites: boolean;
  readonly cursor: ReadCursor;
  /** Failures of the file that this handle was told of. */
  toldFailures: number;
}

export class HandleTable {
  readonly #files = new Map<FileHandle, OpenHandle>();
  readonly #directories = new Map<FileHandle, DirectoryReader>();
  #last = 0;

  addFile(handle: OpenHandle): FileHandle {
    const fh = this.#next();
    this.#files.set(fh, handle);
    return fh;
  }

  addDirectory(reader: DirectoryReader): FileHandle {
    const fh = this.#next();
    this.#directories.set(fh, reader);
    return fh;
  }

  has(fh: FileHandle): boolean {
    return this.#files.has(fh);
  }

  /** @throws FsError EBADF, or EIO when the inode was lost with its session */
  file(fh: FileHandle): OpenHandle {
    const handle = this.#files.get(fh);
    if (handle === undefined) throw new FsError("EBADF", `no open file has handle ${fh}`);
    if (handle.file.dead !== undefined) throw handle.file.dead;
    return handle;
  }

  /** @throws FsError EBADF */
  directory(fh: FileHandle): DirectoryReader {
    const reader = this.#directories.get(fh);
    if (reader === undefined) throw new FsError("EBADF", `no open directory has handle ${fh}`);
    return reader;
  }

  removeFile(fh: FileHandle): OpenHandle | undefined {
    const handle = this.#files.get(fh);
    this.#files.delete(fh);
    return handle;
  }

  removeDirectory(fh: FileHandle): DirectoryReader | undefined {
    const reader = this.#directories.get(fh);
    this.#directories.delete(fh);
    return reader;
  }

  allFiles(): [FileHandle, OpenHandle][] {
    return [...this.#files];
  }

  #next(): FileHandle {
    const fh = ++this.#last;
    const isNew = !this.#files.has(fh) && !this.#directories.has(fh);
    invariant(isNew, "a new handle's number is in no use", { fh });
    return fh;
  }
}
