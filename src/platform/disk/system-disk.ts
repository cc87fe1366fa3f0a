// The machine's disk: each method is one system call, on the caller's buffer.
import {
  close,
  closeSync,
  fdatasync,
  fsync,
  ftruncateSync,
  mkdirSync,
  open,
  openSync,
  read,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  statfsSync,
  statSync,
  unlinkSync,
  write,
  writeSync,
  type Stats,
} from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, unlink } from "node:fs/promises";
import { promisify } from "node:util";
import type { Disk, DiskFile, FileFacts, OpenHow } from "./disk.ts";

const FLAGS: Readonly<Record<OpenHow, string>> = { read: "r", create: "wx+", replace: "w+" };

const openFile = promisify(open);
const closeFile = promisify(close);
const syncFile = promisify(fsync);
const datasyncFile = promisify(fdatasync);

class SystemFile implements DiskFile {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  readSync(target: Uint8Array, at: number, position: number): number {
    return readSync(this.#fd, target, at, target.length - at, position);
  }

  read(target: Uint8Array, at: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      read(this.#fd, target, at, target.length - at, position, (error, got) => {
        if (error === null) resolve(got);
        else reject(error);
      });
    });
  }

  writeSync(bytes: Uint8Array, at: number, position: number): number {
    return writeSync(this.#fd, bytes, at, bytes.length - at, position);
  }

  write(bytes: Uint8Array, at: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      write(this.#fd, bytes, at, bytes.length - at, position, (error, done) => {
        if (error === null) resolve(done);
        else reject(error);
      });
    });
  }

  truncateSync(sizeBytes: number): void {
    ftruncateSync(this.#fd, sizeBytes);
  }

  datasync(): Promise<void> {
    return datasyncFile(this.#fd);
  }

  sync(): Promise<void> {
    return syncFile(this.#fd);
  }

  close(): Promise<void> {
    return closeFile(this.#fd);
  }

  closeSync(): void {
    closeSync(this.#fd);
  }
}

function factsOf({ size, ctimeMs }: Stats): FileFacts {
  return { sizeBytes: size, changedMs: ctimeMs };
}

async function factsAt(path: string): Promise<FileFacts | undefined> {
  try {
    return factsOf(await stat(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined; // fs throws no other
    throw error;
  }
}

export const systemDisk: Disk = {
  open: async (path, how, mode) => new SystemFile(await openFile(path, FLAGS[how], mode)),
  openSync: (path, how, mode) => new SystemFile(openSync(path, FLAGS[how], mode)),
  readWhole: (path) => readFile(path),
  readWholeSync: (path) => readFileSync(path),
  async makeDirectory(path, mode) {
    await mkdir(path, { recursive: true, mode });
  },
  makeDirectorySync(path, mode) {
    mkdirSync(path, { recursive: true, mode });
  },
  list: (path) => readdir(path),
  listSync: (path) => readdirSync(path),
  facts: factsAt,
  factsSync(path) {
    const stats = statSync(path, { throwIfNoEntry: false });
    return stats === undefined ? undefined : factsOf(stats);
  },
  rename: (from, to) => rename(from, to),
  renameSync: (from, to) => renameSync(from, to),
  remove: (path) => unlink(path),
  removeSync: (path) => unlinkSync(path),
  removeTree: (path) => rm(path, { recursive: true, force: true }),
  figures(path) {
    const { blocks, bavail, bsize } = statfsSync(path);
    return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
  },
};
