// What a mount believes of one open inode: its attributes and where its bytes are, as the server
// told them, corrected by the mount's own changes, and until when.
import type { Attr } from "../../domain/attributes.ts";
import type { Ino } from "../../domain/ids.ts";
import type { MetaService, OpenReply } from "../../protocol/meta/meta-service.ts";
import { sameContent } from "./content-version.ts";
import type { ExtentCache } from "./extent-cache.ts";
import { type CommittedExtent, FileExtents, type Freshness } from "./file-extents.ts";
import type { IntervalMap } from "./interval-map.ts";
import type { AskedAt, OwnChanges } from "./own-changes.ts";
import type { Validity } from "./validity.ts";

/** What the beliefs of all inodes share. */
export interface BeliefSources {
  readonly meta: Pick<MetaService, "getattr" | "extents">;
  readonly validity: Validity;
  readonly changes: OwnChanges;
  readonly extentCache: ExtentCache;
}

export class InodeBeliefs implements Freshness {
  readonly ino: Ino;
  readonly #sources: BeliefSources;
  readonly #extents: FileExtents;
  #attr: Attr;
  #version = 0;
  #freshUntilMs = 0;
  #nameChangeSeen = 0;
  /** Changes by others that were noticed. */
  #foreignChanges = 0;
  /** Both kinds of changes when a lock was last granted, or the file opened. */
  #atLock = { own: 0, foreign: 0 };
  #lastChange = 0;
  #xattrChange = 0;
  #refresh: { asked: AskedAt; reply: Promise<void> } | undefined;
  /** Nothing but what this mount wrote was ever in the file, as far as it knows. */
  #allOwn: boolean;
  /** An own change's reply may hide that somebody else made one just before. */
  #changedSome = false;

  constructor(sources: BeliefSources, reply: OpenReply, asked: AskedAt) {
    this.#sources = sources;
    this.ino = reply.attr.ino;
    this.#attr = reply.attr;
    this.#allOwn = reply.attr.sizeBytes === 0;
    this.#extents = new FileExtents(sources, this.ino);
    this.#trust(reply.attr, asked);
    this.#extents.install(reply.firstChunk, asked.ms, this.#version);
  }

  /** As the server last told them. */
  get attr(): Attr {
    return this.#attr;
  }

  get version(): number {
    return this.#version;
  }

  get freshUntilMs(): number {
    return this.#freshUntilMs;
  }

  /** The attributes can be shown without asking the server. */
  get fresh(): boolean {
    const { validity, changes } = this.#sources;
    return this.freshAt(validity.nowMs) && this.#nameChangeSeen === changes.names;
  }

  /** The same for reads, which ask for no names. */
  freshAt(nowMs: number): boolean {
    return nowMs < this.#freshUntilMs;
  }

  /** The kernel's pages of the file can be told good by its times at the next open. */
  get traceable(): boolean {
    return this.#allOwn || !this.#changedSome;
  }

  /** The chunk's extents if they are believed at `nowMs`. */
  extentsAt(chunk: number, nowMs: number): IntervalMap | undefined {
    return this.#extents.get(chunk, nowMs, this);
  }

  /** The chunk's extents, however old: for a read that has just fetched them. */
  fetchedExtents(chunk: number): IntervalMap | undefined {
    return this.#extents.peek(chunk);
  }

  /** Asks the server for the chunk's extents. @throws FsError of extents */
  fetchExtents(chunk: number, nowMs: number): Promise<IntervalMap> {
    return this.#extents.fetch(chunk, nowMs, this.#version);
  }

  /** Where the bytes are is believed no more, nor what is being fetched of it. */
  forgetExtents(): void {
    this.#extents.invalidate();
  }

  /** Asks the server for the attributes. @throws FsError of getattr */
  refresh(): Promise<void> {
    const { changes, validity } = this.#sources;
    const asked = changes.askedAt(validity.nowMs);
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
    this.#extents.install(reply.firstChunk, asked.ms, this.#version);
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

  /** An own change was acknowledged with these attributes; the extents are as they were. */
  changed(attr: Attr): void {
    const { validity, changes } = this.#sources;
    this.#changedSome = true;
    this.#lastChange = changes.nextOfFiles();
    this.#version += 1;
    this.#attr = attr;
    this.#freshUntilMs = validity.untilMs(validity.nowMs);
  }

  /**
   * An own change of xattrs was acknowledged with these attributes, or may have been made. Of
   * changes that overlap nobody knows whose reply is the newer one.
   */
  xattrsChanged(attr: Attr | undefined, asked: AskedAt, changing: boolean): void {
    if (attr === undefined || changing || asked.change < this.#lastChange) this.uncertain();
    else this.changed({ ...attr, nlink: this.#nlinkAfter(attr, asked) });
    this.#xattrChange = this.#sources.changes.nextOfFiles();
  }

  /** An own change of where its bytes are was acknowledged. */
  rearranged(attr: Attr): void {
    this.changed(attr);
    this.#extents.invalidate();
  }

  /** An own change of the size was acknowledged. */
  truncated(attr: Attr): void {
    this.rearranged(attr);
    if (attr.sizeBytes === 0) this.#allOwn = true;
  }

  /** An own commit was acknowledged. */
  committed(attr: Attr, extents: readonly CommittedExtent[], asked: AskedAt): void {
    this.#extents.committed(extents);
    this.changed({ ...attr, nlink: this.#nlinkAfter(attr, asked) });
    // One that waited for the disk comes late.
    if (asked.change < this.#xattrChange) this.#freshUntilMs = 0;
  }

  /** Nothing that is believed can be relied on. */
  uncertain(): void {
    this.#version += 1;
    this.#freshUntilMs = 0;
    this.#extents.invalidate();
  }

  /** The server may have forgotten what it said, and what this mount did. */
  rolledBack(): void {
    this.#foreignChanges += 1;
    this.#allOwn = false;
    this.#changedSome = true;
    this.uncertain();
  }

  /** The server may have looked before a link or unlink that this mount knows of. */
  #nlinkAfter(attr: Attr, asked: AskedAt): number {
    return (asked.nameChange < this.#nameChangeSeen ? this.#attr : attr).nlink;
  }

  async #askAttributes(asked: AskedAt): Promise<void> {
    this.observe(await this.#sources.meta.getattr(this.ino), asked);
  }

  #trust(attr: Attr, asked: AskedAt): void {
    if (!sameContent(attr, this.#attr)) {
      this.#version += 1;
      this.#allOwn = false;
      this.#foreignChanges += 1;
      this.#extents.invalidate();
    }
    this.#attr = attr;
    this.#freshUntilMs = this.#sources.validity.untilMs(asked.ms);
    this.#nameChangeSeen = asked.nameChange;
  }
}
