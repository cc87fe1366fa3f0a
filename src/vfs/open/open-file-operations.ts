// What can be done with files by handle: open, read, write, flush, fsync, release, and opening all
// again after the server has lost the session.
import type { Caller } from "../../domain/attributes.ts";
import { FsError } from "../../domain/errno.ts";
import type { Ino, Name } from "../../domain/ids.ts";
import { MAX_REOPENS_IN_FLIGHT } from "./limits.ts";
import type {
  CreateReply,
  MetaService,
  OpenAccess,
  OpenReply,
} from "../../protocol/meta/meta-service.ts";
import { asFsError } from "../write/failure-latch.ts";
import type { FileData } from "./file-data.ts";
import { ReadCursor } from "../read/file-reader.ts";
import type { HandleTable, OpenHandle } from "./handle-table.ts";
import type { Log } from "../../observability/log.ts";
import type { AskedAt } from "../coherence/own-changes.ts";
import type { Geometry } from "../geometry.ts";
import type { SliceAllocator } from "../write/slice-allocator.ts";
import type { OpenFiles } from "./open-files.ts";
import type { ReleaseQueue } from "./release-queue.ts";
import type { RollbackLosses } from "./rollback-losses.ts";
import {
  type FileHandle,
  type MaybePromise,
  O_ACCMODE,
  O_DSYNC,
  O_EXECUTE,
  O_EXCL,
  O_SYNC,
  O_TRUNC,
  O_WRONLY,
  type OpenResult,
} from "../vfs.ts";

export interface OpenFileOperationServices {
  readonly meta: Pick<MetaService, "create" | "createUnnamed" | "open">;
  readonly beliefs: { askedNow(): AskedAt };
  readonly sliceIds: SliceAllocator;
  readonly losses: Pick<RollbackLosses, "checking">;
  readonly geometry: Geometry;
  readonly log: Log;
}

export class OpenFileOperations {
  readonly #services: OpenFileOperationServices;
  readonly #files: OpenFiles;
  readonly #handles: HandleTable;
  readonly #releases: ReleaseQueue;

  constructor(
    services: OpenFileOperationServices,
    parts: { files: OpenFiles; handles: HandleTable; releases: ReleaseQueue },
  ) {
    this.#services = services;
    this.#files = parts.files;
    this.#handles = parts.handles;
    this.#releases = parts.releases;
  }

  async create(
    caller: Caller,
    at: { parent: Ino; name: Name; mode: number },
    flags: number,
  ): Promise<OpenResult> {
    const { meta } = this.#services;
    const asked = this.#services.beliefs.askedNow();
    const exclusive = (flags & O_EXCL) !== 0;
    const reply: CreateReply = await meta.create(
      caller,
      at.parent,
      at.name,
      { mode: at.mode },
      exclusive,
    );
    if (reply.created) return this.#adopt(caller, reply, flags, asked);
    // It was there: only open checks the caller's rights to it, and truncates.
    try {
      return await this.open(caller, reply.attr.ino, flags);
    } finally {
      this.#releases.add(reply.attr.ino);
    }
  }

  async createUnnamed(
    caller: Caller,
    parent: Ino,
    mode: number,
    flags: number,
  ): Promise<OpenResult> {
    const asked = this.#services.beliefs.askedNow();
    const reply = await this.#services.meta.createUnnamed(caller, parent, mode);
    return this.#adopt(caller, reply, flags, asked);
  }

  async open(caller: Caller, ino: Ino, flags: number): Promise<OpenResult> {
    const access = accessOf(flags);
    const asked = this.#services.beliefs.askedNow();
    const open = (): Promise<OpenReply> => this.#services.meta.open(caller, ino, access);
    const file = access.truncate ? this.#files.get(ino) : undefined;
    const reply = file === undefined ? await open() : await file.reopenTruncated(open);
    return this.#adopt(caller, reply, flags, asked);
  }

  read(fh: FileHandle, offset: number, sizeBytes: number): MaybePromise<readonly Uint8Array[]> {
    const { file, cursor } = this.#handles.file(fh);
    return file.reader.read(cursor, offset, sizeBytes);
  }

  write(
    fh: FileHandle,
    offset: number,
    data: Uint8Array,
    killPrivileges: boolean,
  ): MaybePromise<number> {
    const handle = this.#handles.file(fh);
    if (!handle.writable) throw new FsError("EBADF", `handle ${fh} is not open for writing`);
    const written = handle.file.writer.write(offset, data, killPrivileges);
    return handle.syncWrites ? this.#writeThrough(handle, written) : written;
  }

  flush(fh: FileHandle): MaybePromise<void> {
    const handle = this.#handles.file(fh);
    if (!handle.writable) return;
    const flushed = handle.file.writer.flush();
    if (flushed === undefined) this.#throwFailure(handle);
    else return flushed.then(() => this.#throwFailure(handle));
  }

  async fsync(fh: FileHandle): Promise<void> {
    await this.#sync(this.#handles.file(fh));
  }

  /** Returns what the handle was of. */
  release(fh: FileHandle): FileData {
    const handle = this.#handles.removeFile(fh);
    if (handle === undefined) throw new FsError("EBADF", `no open file has handle ${fh}`);
    handle.cursor.lend([]);
    this.#files.release(handle.file);
    return handle.file;
  }

  /** Commits all that is dirty. @throws FsError the first failure that nobody was told of */
  async flushAll(): Promise<void> {
    const files = this.#files.all();
    for (const file of files) file.writer.sealAll();
    for (const file of files) await file.writer.flush();
    for (const { writer } of files) {
      const failure = writer.failures.untold;
      if (failure !== undefined) throw failure;
    }
  }

  /** The new session holds nothing open yet: opens every handle's inode again. */
  async reopenAll(): Promise<void> {
    this.#services.sliceIds.reset();
    const next = this.#handles.allFiles().values();
    const reopenNext = async (): Promise<void> => {
      for (const [fh, handle] of next) await this.#reopen(fh, handle);
    };
    await Promise.all(Array.from({ length: MAX_REOPENS_IN_FLIGHT }, reopenNext));
  }

  async #reopen(fh: FileHandle, handle: OpenHandle): Promise<void> {
    const { file, caller, readable, writable, executed } = handle;
    if (file.dead !== undefined || !this.#handles.has(fh)) return;
    try {
      const access = { read: readable, write: writable, truncate: false, execute: executed };
      await this.#services.meta.open(caller, file.ino, access);
      file.uncertain();
      // Closed in the meantime: its release may have come before this open.
      if (!this.#handles.has(fh)) this.#releases.add(file.ino);
    } catch (error) {
      const message = `inode ${file.ino} is gone: the metadata server lost the session`;
      file.dead = new FsError("EIO", message, { cause: error });
      this.#services.log.error({ err: error, ino: file.ino }, "open file lost with its session");
    }
  }

  #adopt(caller: Caller, reply: OpenReply, flags: number, asked: AskedAt): OpenResult {
    const { file, keepCache } = this.#files.adopt(reply, asked);
    const { read, write, execute } = accessOf(flags);
    if (write) this.#services.sliceIds.prepare();
    const fh = this.#handles.addFile({
      file,
      caller,
      readable: read,
      writable: write,
      executed: execute,
      syncWrites: (flags & (O_SYNC | O_DSYNC)) !== 0,
      cursor: new ReadCursor(this.#services.geometry.blockBytes),
      toldFailures: file.writer.failures.sample(),
    });
    return { fh, attr: file.view(), keepCache };
  }

  async #writeThrough(handle: OpenHandle, written: MaybePromise<number>): Promise<number> {
    const count = await written;
    await this.#sync(handle);
    return count;
  }

  async #sync(handle: OpenHandle): Promise<void> {
    try {
      await handle.file.writer.sync();
    } catch (error) {
      throw asFsError(error, "fsync");
    }
    await this.#services.losses.checking;
    if (handle.file.dead !== undefined) throw handle.file.dead;
    const told = handle.file.writer.failures.sequence;
    try {
      this.#throwFailure(handle);
    } finally {
      handle.toldFailures = told;
    }
  }

  /**
   * Throws for data that could not be written, which is given up then. An fsync tells each handle
   * once, a close whenever there is one: a child that the caller starts closes the handle, too, and
   * tells nobody what it heard.
   */
  #throwFailure(handle: OpenHandle): void {
    const { writer } = handle.file;
    const failure = writer.failures.tell(handle.toldFailures);
    if (failure === undefined) return;
    writer.dropFailed();
    throw failure;
  }
}

function accessOf(flags: number): Required<OpenAccess> {
  const mode = flags & O_ACCMODE;
  return {
    read: mode !== O_WRONLY,
    write: mode !== 0,
    truncate: (flags & O_TRUNC) !== 0,
    execute: (flags & O_EXECUTE) !== 0,
  };
}
