// Files of the file system to the local disk or a stream (`dfs get`).
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmod, mkdir, open, rename, symlink, unlink, utimes } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type Attr, isDirectory, isRegular, isSymlink } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import { displayName } from "../../domain/name.ts";
import { type CopyTotals, joinLocal } from "./copy-in.ts";
import { type FileSystem, listDirectory } from "./file-system.ts";
import type { Progress } from "../terminal/progress.ts";

/** Two blocks a request: the read-ahead below does the rest. */
const READ_BYTES = 8 * 1024 * 1024;

type WritePiece = (piece: Uint8Array) => Promise<void>;

export class CopyOut {
  readonly #fs: FileSystem;
  readonly #progress: Progress;
  readonly #signal: AbortSignal;
  readonly totals: CopyTotals = { files: 0, bytes: 0 };

  /** After `signal` the file that was begun is removed, and the methods reject with its reason. */
  constructor(fs: FileSystem, progress: Progress, signal: AbortSignal) {
    this.#fs = fs;
    this.#progress = progress;
    this.#signal = signal;
  }

  /** Writes under a temporary name, then renames: an interrupted copy leaves the old file alone. */
  async file(attr: Attr, local: Buffer): Promise<void> {
    const path = local.toString("latin1");
    const inDirectory = join(dirname(path), `.dfs-get-${randomBytes(8).toString("hex")}`);
    const temporary = Buffer.from(inDirectory, "latin1");
    const file = await open(temporary, "wx", 0o600);
    try {
      try {
        this.#progress.begin(displayName(basename(path)), attr.sizeBytes);
        await this.#read(attr, async (piece) => {
          await file.writeFile(piece);
        });
      } finally {
        await file.close();
      }
      await chmod(temporary, attr.mode & 0o7777);
      await utimes(temporary, secondsOf(attr, "atime"), secondsOf(attr, "mtime"));
      await rename(temporary, local);
    } catch (error) {
      await unlink(temporary).catch(() => undefined);
      throw error;
    } finally {
      this.#progress.end();
    }
    this.totals.files += 1;
  }

  async toStream(attr: Attr, target: NodeJS.WritableStream): Promise<void> {
    await this.#read(attr, async (piece) => {
      // The pieces are views of buffers that the next read may reuse, and the stream keeps them.
      if (!target.write(Buffer.from(piece))) await once(target, "drain");
    });
    this.totals.files += 1;
  }

  async tree(attr: Attr, local: Buffer): Promise<void> {
    const { vfs, caller } = this.#fs;
    if (isRegular(attr.mode)) {
      await this.file(attr, local);
    } else if (isSymlink(attr.mode)) {
      const target = await vfs.readlink(caller, attr.ino);
      await symlink(Buffer.from(target, "latin1"), local);
    } else if (isDirectory(attr.mode)) {
      await mkdir(local, { recursive: true });
      for await (const entry of listDirectory(this.#fs, attr)) {
        const child = entry.attr ?? (await vfs.getattr(caller, entry.ino));
        await this.tree(child, joinLocal(local, entry.name));
      }
      await chmod(local, attr.mode & 0o7777);
    } else {
      throw new FsError("EINVAL", `${local.toString()}: neither a file, a directory nor a link`);
    }
  }

  async #read(attr: Attr, write: WritePiece): Promise<void> {
    const { vfs, caller } = this.#fs;
    const { fh } = await vfs.open(caller, attr.ino, 0);
    try {
      let offset = 0;
      for (;;) {
        this.#signal.throwIfAborted();
        const pieces = await vfs.read(fh, offset, READ_BYTES);
        const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
        if (bytes === 0) break;
        for (const piece of pieces) await write(piece);
        offset += bytes;
        this.#progress.advance(bytes);
      }
      this.totals.bytes += offset;
    } finally {
      await vfs.release(fh);
    }
  }
}

function secondsOf(attr: Attr, time: "atime" | "mtime"): number {
  return time === "atime"
    ? attr.atimeSec + attr.atimeNsec / 1e9
    : attr.mtimeSec + attr.mtimeNsec / 1e9;
}
