// Files of the file system to the local disk or a stream (`dfs get`).
import { once } from "node:events";
import { chmod, mkdir, open, rename, symlink, unlink, utimes } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type Attr, isDirectory, isRegular, isSymlink } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import { displayName } from "../../domain/name.ts";
import type { FileAccess } from "../../files/file-access.ts";
import { listDirectory } from "../../files/list-directory.ts";
import { readFile } from "../../files/read-file.ts";
import { type CopyTotals, joinLocal } from "./copy-in.ts";
import type { Progress } from "../terminal/progress.ts";

export class CopyOut {
  readonly #access: FileAccess;
  readonly #progress: Progress;
  readonly #signal: AbortSignal;
  readonly totals: CopyTotals = { files: 0, bytes: 0 };

  /** After `signal` the file that was begun is removed, and the methods reject with its reason. */
  constructor(access: FileAccess, progress: Progress, signal: AbortSignal) {
    this.#access = access;
    this.#progress = progress;
    this.#signal = signal;
  }

  /** Writes under a temporary name, then renames: an interrupted copy leaves the old file alone. */
  async file(attr: Attr, local: Buffer): Promise<void> {
    const path = local.toString("latin1");
    const inDirectory = join(
      dirname(path),
      `.dfs-get-${this.#access.random.bytes(8).toString("hex")}`,
    );
    const temporary = Buffer.from(inDirectory, "latin1");
    const file = await open(temporary, "wx", 0o600);
    try {
      try {
        this.#progress.begin(displayName(basename(path)), attr.sizeBytes);
        for await (const piece of this.#pieces(attr)) await file.writeFile(piece);
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
    for await (const piece of this.#pieces(attr)) {
      // A piece is a view of a buffer that the next read may reuse, and the stream keeps it.
      if (!target.write(Buffer.from(piece))) await once(target, "drain");
    }
    this.totals.files += 1;
  }

  async tree(attr: Attr, local: Buffer): Promise<void> {
    if (isRegular(attr.mode)) {
      await this.file(attr, local);
    } else if (isSymlink(attr.mode)) {
      const target = await this.#access.vfs.readlink(this.#access.caller, attr.ino);
      await symlink(Buffer.from(target, "latin1"), local);
    } else if (isDirectory(attr.mode)) {
      await mkdir(local, { recursive: true });
      for await (const child of listDirectory(this.#access, attr.ino, this.#signal)) {
        await this.tree(child.attr, joinLocal(local, child.name));
      }
      await chmod(local, attr.mode & 0o7777);
    } else {
      throw new FsError("EINVAL", `${local.toString()}: neither a file, a directory nor a link`);
    }
  }

  async *#pieces(attr: Attr): AsyncGenerator<Uint8Array, void> {
    for await (const piece of readFile(this.#access, attr.ino, this.#signal)) {
      yield piece;
      this.totals.bytes += piece.length;
      this.#progress.advance(piece.length);
    }
  }
}

function secondsOf(attr: Attr, time: "atime" | "mtime"): number {
  return time === "atime"
    ? attr.atimeSec + attr.atimeNsec / 1e9
    : attr.mtimeSec + attr.mtimeNsec / 1e9;
}
