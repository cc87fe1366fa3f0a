// Local files into the file system (`dfs put`).
import { createReadStream } from "node:fs";
import { lstat, readdir, readlink, stat } from "node:fs/promises";
import type { Timespec } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import type { Ino, Name } from "../../domain/ids.ts";
import { displayName, toName } from "../../domain/name.ts";
import type { FileAccess } from "../../files/file-access.ts";
import { ensureDirectory } from "../../files/make-directories.ts";
import { putFile, type PutTarget } from "../../files/put-file.ts";
import type { Progress } from "../terminal/progress.ts";

/** One read of the local disk: as large as a FUSE write, several make a block. */
const READ_BYTES = 1024 * 1024;

export interface CopyTotals {
  files: number;
  bytes: number;
}

export function joinLocal(directory: Buffer, name: string): Buffer {
  return Buffer.concat([directory, Buffer.from("/"), Buffer.from(name, "latin1")]);
}

function timespecOf(ns: bigint): Timespec {
  const nsec = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return { sec: Number((ns - nsec) / 1_000_000_000n), nsec: Number(nsec) };
}

export class CopyIn {
  readonly #access: FileAccess;
  readonly #progress: Progress;
  readonly #signal: AbortSignal;
  readonly totals: CopyTotals = { files: 0, bytes: 0 };

  /** After `signal` whatever was begun is removed again, and the methods reject with its reason. */
  constructor(access: FileAccess, progress: Progress, signal: AbortSignal) {
    this.#access = access;
    this.#progress = progress;
    this.#signal = signal;
  }

  async file(local: Buffer, parent: Ino, name: Name): Promise<void> {
    const info = await stat(local, { bigint: true });
    const mode = Number(info.mode) & 0o7777;
    this.#progress.begin(displayName(name), Number(info.size));
    const source = createReadStream(local, { highWaterMark: READ_BYTES, signal: this.#signal });
    await this.stream(source, { parent, name, mode, mtime: timespecOf(info.mtimeNs) });
  }

  /** @param source gives buffers: a stream without an encoding */
  async stream(source: AsyncIterable<Uint8Array>, target: PutTarget): Promise<void> {
    try {
      this.totals.bytes += await putFile(
        this.#access,
        source,
        target,
        this.#progress,
        this.#signal,
      );
    } finally {
      this.#progress.end();
    }
    this.totals.files += 1;
  }

  /** A directory and all below it; symbolic links stay links, other special files are refused. */
  async tree(local: Buffer, parent: Ino, name: Name): Promise<void> {
    this.#signal.throwIfAborted();
    const info = await lstat(local);
    if (info.isSymbolicLink()) {
      const target = await readlink(local, { encoding: "latin1" });
      await this.#access.vfs.symlink(this.#access.caller, parent, name, target);
    } else if (info.isDirectory()) {
      const directory = await ensureDirectory(this.#access, parent, name, info.mode & 0o7777);
      for (const entry of (await readdir(local, { encoding: "latin1" })).sort()) {
        await this.tree(joinLocal(local, entry), directory.ino, toName(entry));
      }
    } else if (info.isFile()) {
      await this.file(local, parent, name);
    } else {
      throw new FsError("EINVAL", `${local.toString()}: neither a file, a directory nor a link`);
    }
  }
}
