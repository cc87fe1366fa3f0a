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

/**
 * A descriptor is closed only when no call on it waits for the thread pool: its number could by
 * then be another file's.
 */
class SystemFile implements DiskFile {
  readonly #fd: number;
  #underWay = 0;
  #closeWhenIdle: (() => void) | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  readSync(target: Uint8Array, at: number, position: number): number {
    return readSync(this.#fd, target, at, target.length - at, position);
  }

  read(target: Uint8Array, at: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#underWay += 1;
      read(this.#fd, target, at, target.length - at, position, (error, got) => {
        this.#ended();
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
      this.#underWay += 1;
      write(this.#fd, bytes, at, bytes.length - at, position, (error, done) => {
        this.#ended();
        if (error === null) resolve(done);
        else reject(error);
      });
    });
  }

  truncateSync(sizeBytes: number): void {
    ftruncateSync(this.#fd, sizeBytes);
  }

  datasync(): Promise<void> {
    return this.#flush(fdatasync);
  }

  sync(): Promise<void> {
    return this.#flush(fsync);
  }

  close(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#whenIdle(() => {
        close(this.#fd, (error) => {
          if (error instanceof Error) reject(error);
          else resolve();
        });
      });
    });
  }

  closeSync(): void {
    this.#whenIdle(() => closeSync(this.#fd));
  }

  #flush(how: typeof fsync): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#underWay += 1;
      how(this.#fd, (error) => {
        this.#ended();
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  #whenIdle(closeIt: () => void): void {
    if (this.#underWay === 0) closeIt();
    else this.#closeWhenIdle = closeIt;
  }

  #ended(): void {
    this.#underWay -= 1;
    if (this.#underWay === 0) this.#closeWhenIdle?.();
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
