// The disk as a dependency, so that tests and the simulation can own it: what the metadata server
// and the storage nodes do with their files, and no more. Errors are Node's, with their errno name
// as `code`. What ends in Sync is done at once, on the thread of the caller.

/** How large and how full a file system is. */
export interface DiskFigures {
  totalBytes: number;
  /** What an unprivileged process could still write. */
  freeBytes: number;
}

export interface FileFacts {
  readonly sizeBytes: number;
  /** When content or inode last changed, wall clock. */
  readonly changedMs: number;
}

/** Create: a new file, to read and write; replace: an empty one in whatever place. */
export type OpenHow = "read" | "create" | "replace";

/** An open file. Buffers are the caller's: they are neither copied nor kept. */
export interface DiskFile {
  /** Fills `target` from `at` on; brings the bytes read, 0 at the file's end only. */
  readSync(target: Uint8Array, at: number, position: number): number;
  read(target: Uint8Array, at: number, position: number): Promise<number>;
  /** Writes `bytes` from `at` on; brings the bytes written, perhaps fewer than there are. */
  writeSync(bytes: Uint8Array, at: number, position: number): number;
  write(bytes: Uint8Array, at: number, position: number): Promise<number>;
  truncateSync(sizeBytes: number): void;
  /** Resolves when the content is on disk, and what is needed to find it. */
  datasync(): Promise<void>;
  /** As datasync, with all attributes; of a directory its entries. */
  sync(): Promise<void>;
  /** Calls under way end first. Once it is asked for, no other call may be made. */
  close(): Promise<void>;
  closeSync(): void;
}

export interface Disk {
  open(path: string, how: OpenHow, mode?: number): Promise<DiskFile>;
  openSync(path: string, how: OpenHow, mode?: number): DiskFile;
  /** All of a file's bytes. */
  readWhole(path: string): Promise<Buffer>;
  readWholeSync(path: string): Buffer;
  /** Makes those above it as well; one that is there is no error. */
  makeDirectory(path: string, mode?: number): Promise<void>;
  makeDirectorySync(path: string, mode?: number): void;
  /** Names in a directory, in no order. */
  list(path: string): Promise<string[]>;
  listSync(path: string): string[];
  /** Undefined when there is no such file. */
  facts(path: string): Promise<FileFacts | undefined>;
  factsSync(path: string): FileFacts | undefined;
  /** Replaces what stands at `to`. */
  rename(from: string, to: string): Promise<void>;
  renameSync(from: string, to: string): void;
  /** Removes a file. */
  remove(path: string): Promise<void>;
  removeSync(path: string): void;
  /** Removes a directory with all in it; none is no error. */
  removeTree(path: string): Promise<void>;
  /** Of the file system that `path` stands on. */
  figures(path: string): DiskFigures;
}

/** Writes all of `bytes` at `position`. */
export function writeAllSync(file: DiskFile, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes, at, position + at);
}

/** As writeAllSync; `bytes` must not change before it resolves. */
export async function writeAll(file: DiskFile, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes, at, position + at);
}

/** Resolves when the directory's entries are on disk. */
export async function syncDirectory(disk: Disk, path: string): Promise<void> {
  const directory = await disk.open(path, "read");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
