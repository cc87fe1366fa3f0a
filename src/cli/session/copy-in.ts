// Local files into the file system (`dfs put`). A file appears under its name when it is whole.
import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readdir, readlink, stat } from "node:fs/promises";
import type { Attr, Timespec } from "../../domain/attributes.ts";
import { isDirectory } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import type { Ino, Name } from "../../domain/ids.ts";
import { displayName, toName } from "../../domain/name.ts";
import { O_CREAT, O_EXCL, O_WRONLY } from "../../vfs/vfs.ts";
import type { FileSystem } from "./file-system.ts";
import type { Progress } from "../terminal/progress.ts";

/** One read of the local disk: as large as a FUSE write, several make a block. */
const READ_BYTES = 1024 * 1024;

export interface CopyTotals {
  files: number;
  bytes: number;
}

/** What a copied file keeps of its original. */
interface Metadata {
  mode: number;
  mtime?: Timespec;
}

export function joinLocal(directory: Buffer, name: string): Buffer {
  return Buffer.concat([directory, Buffer.from("/"), Buffer.from(name, "latin1")]);
}

function timespecOf(ns: bigint): Timespec {
  const nsec = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return { sec: Number((ns - nsec) / 1_000_000_000n), nsec: Number(nsec) };
}

export class CopyIn {
  readonly #fs: FileSystem;
  readonly #progress: Progress;
  readonly #signal: AbortSignal;
  readonly totals: CopyTotals = { files: 0, bytes: 0 };

  /** After `signal` whatever was begun is removed again, and the methods reject with its reason. */
  constructor(fs: FileSystem, progress: Progress, signal: AbortSignal) {
    this.#fs = fs;
    this.#progress = progress;
    this.#signal = signal;
  }

  async file(local: Buffer, parent: Ino, name: Name): Promise<void> {
    const info = await stat(local, { bigint: true });
    const metadata = { mode: Number(info.mode) & 0o7777, mtime: timespecOf(info.mtimeNs) };
    this.#progress.begin(displayName(name), Number(info.size));
    const source = createReadStream(local, { highWaterMark: READ_BYTES, signal: this.#signal });
    await this.stream(source, parent, name, metadata);
  }

  /** Writes under a temporary name, then renames, so that no reader ever sees half a file. */
  async stream(
    source: AsyncIterable<unknown>,
    parent: Ino,
    name: Name,
    metadata: Metadata,
  ): Promise<void> {
    const { vfs, caller } = this.#fs;
    const temporary = toName(`.dfs-put-${randomBytes(8).toString("hex")}`);
    const { fh, attr } = await vfs.create(
      caller,
      parent,
      temporary,
      0o600,
      O_WRONLY | O_CREAT | O_EXCL,
    );
    try {
      try {
        await this.#write(source, fh);
        const { mode, mtime } = metadata;
        await vfs.setattr(caller, attr.ino, mtime === undefined ? { mode } : { mode, mtime }, fh);
      } finally {
        await vfs.release(fh);
      }
      await vfs.rename(caller, parent, temporary, parent, name, 0);
    } catch (error) {
      await Promise.resolve(vfs.unlink(caller, parent, temporary)).catch(() => undefined);
      this.#signal.throwIfAborted();
      throw error;
    } finally {
      this.#progress.end();
    }
    this.totals.files += 1;
  }

  async #write(source: AsyncIterable<unknown>, fh: number): Promise<void> {
    const { vfs } = this.#fs;
    let offset = 0;
    for await (const chunk of source) {
      const bytes = chunk as Uint8Array; // A stream without an encoding gives buffers.
      await vfs.write(fh, offset, bytes, true);
      offset += bytes.length;
      this.#progress.advance(bytes.length);
    }
    await vfs.flush(fh);
    this.totals.bytes += offset;
  }

  /** A directory and all below it; symbolic links stay links, other special files are refused. */
  async tree(local: Buffer, parent: Ino, name: Name): Promise<void> {
    this.#signal.throwIfAborted();
    const info = await lstat(local);
    if (info.isSymbolicLink()) {
      const target = await readlink(local, { encoding: "latin1" });
      await this.#fs.vfs.symlink(this.#fs.caller, parent, name, target);
    } else if (info.isDirectory()) {
      const directory = await this.#directory(parent, name, info.mode & 0o7777);
      for (const entry of (await readdir(local, { encoding: "latin1" })).sort()) {
        await this.tree(joinLocal(local, entry), directory.ino, toName(entry));
      }
    } else if (info.isFile()) {
      await this.file(local, parent, name);
    } else {
      throw new FsError("EINVAL", `${local.toString()}: neither a file, a directory nor a link`);
    }
  }

  async #directory(parent: Ino, name: Name, mode: number): Promise<Attr> {
    const { vfs, caller } = this.#fs;
    try {
      return await vfs.mkdir(caller, parent, name, mode);
    } catch (error) {
      if (!(error instanceof FsError && error.code === "EEXIST")) throw error;
      const attr = await vfs.lookup(caller, parent, name);
      if (!isDirectory(attr.mode)) throw error;
      return attr;
    }
  }
}
