// One open inode: its attributes as this mount knows them, its extents, its writer and its reader.
// Shared by all handles of the inode.
import type { Attr, AttrChanges, Caller } from "../../domain/attributes.ts";
import { S_ISGID, S_ISUID } from "../../domain/attributes.ts";
import type { FsError } from "../../domain/errno.ts";
import type { Ino, PoolId } from "../../domain/ids.ts";
import type { OpenReply } from "../../protocol/meta/meta-service.ts";
import type { DirtySlices } from "../write/dirty-slices.ts";
import { FileExtents, type Freshness } from "../coherence/file-extents.ts";
import { FileReader, type ReaderOwner } from "../read/file-reader.ts";
import { FileWriter, type WriterOwner } from "../write/file-writer.ts";
import { askedNow, type AskedAt, type MountContext } from "./mount-context.ts";
import type { PendingSlice } from "../write/pending-slice.ts";
import type { MaybePromise } from "../vfs.ts";

const S_IXGRP = 0o010;

export class FileData implements WriterOwner, ReaderOwner, Freshness {
  readonly ino: Ino;
  readonly pool: PoolId;
  readonly extents: FileExtents;
  readonly writer: FileWriter;
  readonly reader: FileReader;
  /** Open handles. */
  handles = 0;
  /** Why no handle works any more: the inode was gone when a lost session was replaced. */
  dead: FsError | undefined;
  readonly #context: MountContext;
  #attr: Attr;
  #version = 0;
  #freshUntilMs = 0;
  #nameChangeSeen = 0;
  /** Changes by others that were noticed. */
  #foreignChanges = 0;
  /** Both kinds of changes when a lock was last granted, or the file opened. */
  #atLock = { own: 0, foreign: 0 };
  #lastChange = 0;
  #refresh: { asked: AskedAt; reply: Promise<Attr> } | undefined;
  /** Nothing but what this mount wrote was ever in the file, as far as it knows. */
  #allOwn: boolean;
  /** An own change's reply may hide that somebody else made one just before. */
  #changedSome = false;

  constructor(context: MountContext, reply: OpenReply, asked: AskedAt) {
    this.#context = context;
    this.ino = reply.attr.ino;
    this.pool = reply.pool;
    this.#attr = reply.attr;
    this.#allOwn = reply.attr.sizeBytes === 0;
    this.extents = new FileExtents(context, this.ino);
    this.writer = new FileWriter(context, this);
    this.reader = new FileReader(context, this);
    this.#trust(reply.attr, asked);
    this.extents.install(reply.firstChunk, asked.ms, this.#version);
  }

  get slices(): DirtySlices {
    return this.writer.slices;
  }

  get freshness(): Freshness {
    return this;
  }

  get version(): number {
    return this.#version;
  }

  get freshUntilMs(): number {
    return this.#freshUntilMs;
  }

  get sizeBytes(): number {
    return Math.max(this.#attr.sizeBytes, this.writer.dirtyEnd);
  }

  /** As the server last told them, without dirty data. */
  get committedAttr(): Attr {
    return this.#attr;
  }

  /** The kernel's pages of the file can be told good by its times at the next open. */
  get traceable(): boolean {
    return this.#allOwn || !this.#changedSome;
  }

  /** What stat shows: the server's attributes with dirty data on top. */
  view(): Attr {
    const { writer } = this;
    if (!writer.dirty) return this.#attr;
    const { sec, nsec } = writer.lastWrite;
    return {
      ...this.#attr,
      mode: writer.killsPrivileges ? withoutPrivileges(this.#attr.mode) : this.#attr.mode,
      sizeBytes: this.sizeBytes,
      allocatedBytes: this.#allocatedBytes(),
      mtimeSec: sec,
      mtimeNsec: nsec,
      ctimeSec: sec,
      ctimeNsec: nsec,
    };
  }

  /** `view`, after asking the server unless it was asked a moment ago. */
  getattr(): MaybePromise<Attr> {
    const nowMs = this.#context.clock.monotonicMs();
    const namesSeen = this.#nameChangeSeen === this.#context.nameChanges.now;
    if (nowMs < this.#freshUntilMs && namesSeen) return this.view();
    return this.refresh();
  }

  refresh(): Promise<Attr> {
    const asked = askedNow(this.#context);
    const underWay = this.#refresh;
    if (underWay?.asked.nameChange === asked.nameChange) return underWay.reply;
    const reply = this.#askAttributes(asked);
    const refresh = { asked, reply };
    this.#refresh = refresh;
    const done = (): void => {
      if (this.#refresh === refresh) this.#refresh = undefined;
    };
    reply.then(done, done);
    return reply;
  }

  /** Attributes from any reply; older ones than an own change are passed over. */
  observe(attr: Attr, asked: AskedAt): void {
    if (asked.change >= this.#lastChange) this.#trust(attr, asked);
    else if (asked.nameChange > this.#nameChangeSeen) {
      // A commit came in between, but of the names this one knows more.
      this.#attr = { ...this.#attr, nlink: attr.nlink };
      this.#nameChangeSeen = asked.nameChange;
    }
  }

  /** The inode was opened once more; true when it is as this mount last knew it. */
  reopened(reply: OpenReply, asked: AskedAt): boolean {
    if (asked.change < this.#lastChange) return false;
    const same = sameContent(reply.attr, this.#attr);
    this.#trust(reply.attr, asked);
    this.extents.install(reply.firstChunk, asked.ms, this.#version);
    return same;
  }

  /**
   * A lock was granted, and the server then had these attributes. True when nothing that is cached,
   * here or in the kernel, can be older. An own change may have hidden another's since the last
   * lock.
   */
  lockGranted(attr: Attr, asked: AskedAt): boolean {
    const unchanged =
      asked.change >= this.#lastChange &&
      this.#atLock.own === this.#lastChange &&
      this.#atLock.foreign === this.#foreignChanges &&
      sameContent(attr, this.#attr);
    if (!unchanged) this.uncertain();
    this.observe(attr, asked);
    this.#atLock = { own: this.#lastChange, foreign: this.#foreignChanges };
    return unchanged;
  }

  async setattr(caller: Caller, changes: AttrChanges, handleOpen: boolean): Promise<Attr> {
    return this.writer.lock.exclusive(async () => {
      await this.#settleBefore(changes);
      const attr = await this.#context.meta.setattr(caller, this.ino, changes, handleOpen);
      this.#changed(attr);
      if (changes.sizeBytes !== undefined) this.#truncated();
      return this.view();
    });
  }

  /** Opens once more with O_TRUNC, in order with the writes. */
  async reopenTruncated(open: () => Promise<OpenReply>): Promise<OpenReply> {
    return this.writer.lock.exclusive(async () => {
      await this.#settleBefore({ sizeBytes: 0 });
      const reply = await open();
      this.#changed(reply.attr);
      this.#truncated();
      return reply;
    });
  }

  /**
   * A change of the content that the server makes, perhaps in steps, in order with the writes.
   * @throws FsError of `change`, or why earlier writes could not be committed
   */
  async changeContent(change: () => Promise<Attr>): Promise<void> {
    return this.writer.lock.exclusive(async () => {
      await this.#settleBefore({ sizeBytes: this.sizeBytes + 1 });
      try {
        this.#changed(await change());
        this.extents.invalidate();
      } catch (error) {
        this.uncertain();
        throw error;
      }
    });
  }

  committed(attr: Attr, slices: readonly PendingSlice[], asked: AskedAt): void {
    this.extents.committed(
      slices.map((slice) => ({ chunk: slice.chunk, extent: slice.toExtent() })),
    );
    // The server may have looked before a link or unlink that this mount knows of.
    const { nlink } = asked.nameChange < this.#nameChangeSeen ? this.#attr : attr;
    this.#changed({ ...attr, nlink });
  }

  /** Nothing that is cached can be relied on. */
  uncertain(): void {
    this.#version += 1;
    this.#freshUntilMs = 0;
    this.extents.invalidate();
  }

  /**
   * Dirty bytes count, as if they overlaid none: programs take a file of no blocks for one of no
   * data.
   */
  #allocatedBytes(): number {
    const { allocatedBytes } = this.#attr;
    const limit = Math.max(allocatedBytes, this.sizeBytes);
    return Math.min(limit, allocatedBytes + this.writer.slices.totalBytes);
  }

  async #askAttributes(asked: AskedAt): Promise<Attr> {
    const attr = await this.#context.meta.getattr(this.ino);
    this.observe(attr, asked);
    return this.view();
  }

  /** Earlier writes must reach the server before a change that they would undo or outlive. */
  async #settleBefore(changes: AttrChanges): Promise<void> {
    const onlyAtime = Object.keys(changes).every((key) => key === "atime");
    if (onlyAtime) return;
    await this.writer.flush();
    if (changes.sizeBytes === undefined) return;
    if (changes.sizeBytes === 0) this.writer.dropFailed();
    else if (this.writer.failure !== undefined) throw this.writer.failure;
  }

  #truncated(): void {
    this.extents.invalidate();
    if (this.#attr.sizeBytes === 0) this.#allOwn = true;
  }

  /** An own change was acknowledged with these attributes. */
  #changed(attr: Attr): void {
    this.#changedSome = true;
    this.#lastChange = this.#context.changes.next();
    this.#version += 1;
    this.#attr = attr;
    this.#freshUntilMs = this.#context.clock.monotonicMs() + this.#context.attrCacheMs;
  }

  #trust(attr: Attr, asked: AskedAt): void {
    if (!sameContent(attr, this.#attr)) {
      this.#version += 1;
      this.#allOwn = false;
      this.#foreignChanges += 1;
      this.extents.invalidate();
    }
    this.#attr = attr;
    this.#freshUntilMs = asked.ms + this.#context.attrCacheMs;
    this.#nameChangeSeen = asked.nameChange;
  }
}

/** The same version of a file's content, judged by what every change of it changes. */
export function sameContent(a: Attr, b: Attr): boolean {
  return (
    a.sizeBytes === b.sizeBytes &&
    a.mtimeSec === b.mtimeSec &&
    a.mtimeNsec === b.mtimeNsec &&
    a.ctimeSec === b.ctimeSec &&
    a.ctimeNsec === b.ctimeNsec
  );
}

/** As a write by other than root leaves the mode (setgid without group execute is a lock mark). */
function withoutPrivileges(mode: number): number {
  return mode & ~S_ISUID & ~((mode & S_IXGRP) === 0 ? 0 : S_ISGID);
}
