// The VFS of dfs: names go to the metadata server as they come, file data through the engine in
// this folder. Composes the parts and translates nothing.
import type { BlockStore } from "../../stripes/block-store.ts";
import type { Attr, AttrChanges, Caller, StatFs } from "../../domain/attributes.ts";
import { FsError, isFsError } from "../../domain/errno.ts";
import type { LockOwner } from "../../domain/file-lock.ts";
import type { Ino, Name } from "../../domain/ids.ts";
import { ATTR_CACHE_MS } from "../coherence/limits.ts";
import { BLOCK_CACHE_BYTES } from "../read/limits.ts";
import { MAX_DIRTY_BYTES } from "../write/limits.ts";
import { MAX_FILE_BYTES } from "../../domain/limits.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import type { DirEntry, LockConflict, MetaSession } from "../../protocol/meta/meta-service.ts";
import { createMountContext, type MountContext } from "./create-mount-context.ts";
import { DirectoryReader } from "./directory-reader.ts";
import { OpenFileOperations } from "./open-file-operations.ts";
import { DEFAULT_GEOMETRY, type Geometry } from "../geometry.ts";
import { HandleTable } from "./handle-table.ts";
import { OpenFileLocks } from "./open-file-locks.ts";
import { OpenRangeOperations } from "./open-range-operations.ts";
import type { Beliefs } from "../coherence/beliefs.ts";
import { OpenFiles } from "./open-files.ts";
import { ReleaseQueue } from "./release-queue.ts";
import { ReplacingRename } from "./replacing-rename.ts";
import {
  type FileHandle,
  type FileLock,
  type FileLockRequest,
  type LockResult,
  type MaybePromise,
  O_ACCMODE,
  O_TRUNC,
  type OpenResult,
  type Vfs,
} from "../vfs.ts";

/** Made once: for `ls -l` it is the answer about nearly every file. */
const NO_XATTR = new FsError("ENODATA", "no extended attributes");

export interface DfsVfsOptions {
  meta: MetaSession;
  blocks: BlockStore;
  clock: Clock;
  log: Log;
  /** Memory for blocks that were read. */
  cacheBytes?: number;
  /** Memory for bytes not yet written before writers wait. */
  maxDirtyBytes?: number;
  /** How long attributes and extents are trusted without asking. */
  attrCacheMs?: number;
  /** Changes nothing: every operation that would answers EROFS. */
  readOnly?: boolean;
  /** Other sizes than the stored format's, for tests against stores of their own. */
  geometry?: Geometry;
}

export class DfsVfs implements Vfs {
  readonly #context: MountContext;
  readonly #meta: MetaSession;
  readonly #readOnly: boolean;
  readonly #releases: ReleaseQueue;
  readonly #files: OpenFiles;
  readonly #handles = new HandleTable();
  readonly #beliefs: Beliefs;
  readonly #operations: OpenFileOperations;
  readonly #ranges: OpenRangeOperations;
  readonly #locks: OpenFileLocks;
  readonly #replacing: ReplacingRename;
  /** A change was asked for. */
  #changed = false;

  constructor(options: DfsVfsOptions) {
    const context = createMountContext({
      ...options,
      cacheBytes: options.cacheBytes ?? BLOCK_CACHE_BYTES,
      maxDirtyBytes: options.maxDirtyBytes ?? MAX_DIRTY_BYTES,
      attrCacheMs: options.attrCacheMs ?? ATTR_CACHE_MS,
      geometry: options.geometry ?? DEFAULT_GEOMETRY,
    });
    this.#context = context;
    this.#beliefs = context.beliefs;
    this.#meta = options.meta;
    this.#readOnly = options.readOnly ?? false;
    this.#releases = new ReleaseQueue(options.meta, options.clock, options.log);
    this.#files = new OpenFiles(context, this.#releases);
    this.#operations = new OpenFileOperations(context, {
      files: this.#files,
      handles: this.#handles,
      releases: this.#releases,
    });
    this.#ranges = new OpenRangeOperations(context, this.#handles);
    this.#locks = new OpenFileLocks(context, this.#handles);
    this.#replacing = new ReplacingRename(context, this.#files);
    options.meta.on("rolledBack", (lost) => {
      this.#beliefs.forgetAll();
      context.losses.rolledBack(lost, this.#files.byIno);
    });
    options.meta.on("sessionLost", () => {
      this.#locks.sessionLost();
      this.#operations.reopenAll().catch((error: unknown) => {
        options.log.error({ err: error }, "open files could not be opened again");
      });
    });
  }

  /** Those of files that are open. */
  get openInodes(): Ino[] {
    return [...this.#files.byIno.keys()];
  }

  lookup(caller: Caller, parent: Ino, name: Name): Promise<Attr> {
    return this.#shown(() => this.#meta.lookup(caller, parent, name));
  }

  forget(): void {
    // Nothing is kept for an inode beyond its open handles.
  }

  getattr(_caller: Caller, ino: Ino): MaybePromise<Attr> {
    const file = this.#files.get(ino);
    if (file?.dead !== undefined) throw file.dead;
    return file === undefined ? this.#getattrClosed(ino) : file.getattr();
  }

  async setattr(caller: Caller, ino: Ino, changes: AttrChanges, fh?: FileHandle): Promise<Attr> {
    this.#requireWritable();
    if (changes.sizeBytes !== undefined && changes.sizeBytes > MAX_FILE_BYTES) {
      throw new FsError("EFBIG", `files end at ${MAX_FILE_BYTES} bytes`);
    }
    const handleOpen = fh !== undefined && this.#handles.file(fh).writable;
    const file = this.#files.get(ino);
    if (file !== undefined) return file.setattr(caller, changes, handleOpen);
    const attr = await this.#meta.setattr(caller, ino, changes, handleOpen);
    // Opened in the meantime: what it was told may be older than this change.
    const opened = this.#files.get(ino);
    opened?.uncertain();
    if (opened !== undefined) return opened.refresh();
    // An own change is newer than any reply that came before its own, whenever that was asked for.
    this.#beliefs.directories.seen(attr, this.#beliefs.askedNow());
    return attr;
  }

  readlink(caller: Caller, ino: Ino): Promise<string> {
    return this.#meta.readlink(caller, ino);
  }

  symlink(caller: Caller, parent: Ino, name: Name, target: string): Promise<Attr> {
    this.#requireWritable();
    return this.#meta.symlink(caller, parent, name, target);
  }

  mknod(caller: Caller, parent: Ino, name: Name, mode: number, rdev: number): Promise<Attr> {
    this.#requireWritable();
    return this.#shown(() => this.#meta.mknod(caller, parent, name, { mode, rdev }));
  }

  mkdir(caller: Caller, parent: Ino, name: Name, mode: number): Promise<Attr> {
    this.#requireWritable();
    return this.#shown(() => this.#meta.mkdir(caller, parent, name, mode));
  }

  unlink(caller: Caller, parent: Ino, name: Name): Promise<void> {
    return this.#renaming(() => this.#meta.unlink(caller, parent, name));
  }

  rmdir(caller: Caller, parent: Ino, name: Name): Promise<void> {
    return this.#renaming(() => this.#meta.rmdir(caller, parent, name));
  }

  rename(
    caller: Caller,
    parent: Ino,
    name: Name,
    newParent: Ino,
    newName: Name,
    flags: number,
  ): Promise<void> {
    const from = { parent, name };
    const to = { parent: newParent, name: newName };
    return this.#renaming(() => this.#replacing.rename(caller, from, to, flags));
  }

  async link(caller: Caller, ino: Ino, parent: Ino, name: Name): Promise<Attr> {
    this.#requireWritable();
    const asked = this.#beliefs.askedNow();
    const attr = await this.#meta.link(caller, ino, parent, name);
    // The count of links is right from here on: the kernel takes one off at an unlink by itself.
    return this.#files.show(attr, { ...asked, nameChange: this.#beliefs.namesChanged() });
  }

  create(
    caller: Caller,
    parent: Ino,
    name: Name,
    mode: number,
    flags: number,
  ): Promise<OpenResult> {
    this.#requireWritable();
    return this.#operations.create(caller, { parent, name, mode }, flags);
  }

  createUnnamed(caller: Caller, parent: Ino, mode: number, flags: number): Promise<OpenResult> {
    this.#requireWritable();
    return this.#operations.createUnnamed(caller, parent, mode, flags);
  }

  open(caller: Caller, ino: Ino, flags: number): Promise<OpenResult> {
    if ((flags & (O_ACCMODE | O_TRUNC)) !== 0) this.#requireWritable();
    return this.#operations.open(caller, ino, flags);
  }

  read(fh: FileHandle, offset: number, sizeBytes: number): MaybePromise<readonly Uint8Array[]> {
    return this.#operations.read(fh, offset, sizeBytes);
  }

  write(
    fh: FileHandle,
    offset: number,
    data: Uint8Array,
    killPrivileges: boolean,
  ): MaybePromise<number> {
    return this.#operations.write(fh, offset, data, killPrivileges);
  }

  fallocate(
    caller: Caller,
    fh: FileHandle,
    mode: number,
    offset: number,
    lengthBytes: number,
  ): Promise<void> {
    return this.#ranges.fallocate(caller, fh, mode, offset, lengthBytes);
  }

  seek(fh: FileHandle, offset: number, to: "data" | "hole"): Promise<number> {
    return this.#ranges.seek(fh, offset, to);
  }

  copyRange(
    caller: Caller,
    source: { fh: FileHandle; offset: number },
    target: { fh: FileHandle; offset: number },
    lengthBytes: number,
  ): Promise<number> {
    return this.#ranges.copy(caller, source, target, lengthBytes);
  }

  flush(fh: FileHandle, owner?: LockOwner): MaybePromise<void> {
    if (owner !== undefined && this.#locks.isLocker(fh, owner)) {
      return this.#flushAndUnlock(fh, owner);
    }
    return this.#operations.flush(fh);
  }

  fsync(fh: FileHandle): Promise<void> {
    return this.#operations.fsync(fh);
  }

  release(fh: FileHandle): void {
    const file = this.#operations.release(fh);
    this.#locks.released(fh, file);
  }

  getlk(fh: FileHandle, lock: FileLock): Promise<LockConflict | undefined> {
    return this.#locks.getlk(fh, lock);
  }

  setlk(fh: FileHandle, request: FileLockRequest, signal?: AbortSignal): Promise<LockResult> {
    return this.#locks.setlk(fh, request, signal);
  }

  async opendir(caller: Caller, ino: Ino): Promise<FileHandle> {
    const reader = new DirectoryReader(this.#context, this.#files, caller, ino);
    await reader.open();
    return this.#handles.addDirectory(reader);
  }

  readdir(fh: FileHandle, cursor: number, withAttrs: boolean): MaybePromise<readonly DirEntry[]> {
    return this.#handles.directory(fh).read(cursor, withAttrs);
  }

  releasedir(fh: FileHandle): void {
    this.#handles.removeDirectory(fh)?.close();
  }

  async fsyncdir(fh: FileHandle): Promise<void> {
    const { ino } = this.#handles.directory(fh);
    await this.#meta.syncMetadata();
    const lost = this.#context.losses.tell(ino);
    if (lost !== undefined) throw lost;
  }

  getxattr(caller: Caller, ino: Ino, name: string): Promise<Uint8Array> {
    // For those of users the server looks whether the caller may read the file.
    if (!name.startsWith("user.") && this.#beliefs.hasNoXattrs(ino)) {
      return Promise.reject(NO_XATTR);
    }
    return this.#meta.getxattr(caller, ino, name);
  }

  setxattr(
    caller: Caller,
    ino: Ino,
    name: string,
    value: Uint8Array,
    flags: number,
  ): Promise<void> {
    return this.#changingXattrs(ino, () => this.#meta.setxattr(caller, ino, name, value, flags));
  }

  listxattr(caller: Caller, ino: Ino): Promise<string[]> {
    if (this.#beliefs.hasNoXattrs(ino)) return Promise.resolve([]);
    return this.#meta.listxattr(caller, ino);
  }

  removexattr(caller: Caller, ino: Ino, name: string): Promise<void> {
    return this.#changingXattrs(ino, () => this.#meta.removexattr(caller, ino, name));
  }

  statfs(): Promise<StatFs> {
    return this.#meta.statfs();
  }

  async syncfs(): Promise<void> {
    try {
      await this.#operations.flushAll();
    } finally {
      await this.#context.durability.syncSession();
    }
  }

  /** What this client changed is on disk before its session ends. */
  async close(): Promise<void> {
    try {
      if (this.#changed) await this.syncfs();
    } finally {
      for (const [fh] of this.#handles.allFiles()) this.#operations.release(fh);
      await this.#releases.drain();
      this.#context.writeback.close();
    }
  }

  async #flushAndUnlock(fh: FileHandle, owner: LockOwner): Promise<void> {
    try {
      await this.#operations.flush(fh);
    } finally {
      await this.#locks.closedBy(fh, owner);
    }
  }

  /** Attributes of a reply as they are to be shown. */
  async #shown(ask: () => Promise<Attr>): Promise<Attr> {
    const asked = this.#beliefs.askedNow();
    const attr = await ask();
    return this.#files.show(attr, asked);
  }

  async #getattrClosed(ino: Ino): Promise<Attr> {
    try {
      return await this.#shown(() => this.#meta.getattr(ino));
    } catch (error) {
      const removed = isFsError(error, "ENOENT", "ESTALE")
        ? this.#beliefs.directories.removed(ino)
        : undefined;
      if (removed !== undefined) return removed;
      throw error;
    }
  }

  async #changingXattrs(ino: Ino, change: () => Promise<Attr>): Promise<void> {
    this.#requireWritable();
    const asked = this.#beliefs.askedNow();
    let reply: Attr | undefined;
    try {
      reply = await change();
    } finally {
      const changing = this.#files.get(ino)?.changing ?? false;
      this.#beliefs.xattrsChanged(ino, reply, asked, changing);
    }
  }

  /** A change of names: it may have changed attributes of open inodes it doesn't name. */
  async #renaming<T>(change: () => Promise<T>): Promise<T> {
    this.#requireWritable();
    const result = await change();
    this.#beliefs.namesChanged();
    return result;
  }

  #requireWritable(): void {
    if (this.#readOnly) throw new FsError("EROFS", "the file system is mounted read-only");
    this.#changed = true;
  }
}
