// What a mount believes of its inodes without asking: the one holder. Replies and own changes are
// told here, and whoever would rather not ask the server asks here. What the kernel was told is
// beside it, in ToldAttributes, under the same rule.
import type { Attr } from "../../domain/attributes.ts";
import type { Ino } from "../../domain/ids.ts";
import type { Clock } from "../../platform/clock.ts";
import type { MetaService, OpenReply } from "../../protocol/meta/meta-service.ts";
import { ClosedInodes } from "./closed-inodes.ts";
import { ExtentCache } from "./extent-cache.ts";
import { type BeliefSources, InodeBeliefs } from "./inode-beliefs.ts";
import { EXTENT_CACHE_BYTES } from "./limits.ts";
import { OpenDirectories } from "./open-directories.ts";
import { type AskedAt, OwnChanges } from "./own-changes.ts";
import { Validity } from "./validity.ts";
import { XattrLessInodes } from "./xattr-less-inodes.ts";

export interface BeliefsOptions {
  readonly meta: Pick<MetaService, "getattr" | "extents">;
  readonly clock: Clock;
  /** How long attributes, names and extents are believed. */
  readonly attrCacheMs: number;
}

export class Beliefs {
  /** Attributes of directories that are open. */
  readonly directories = new OpenDirectories();
  readonly #sources: BeliefSources;
  readonly #files = new Map<Ino, InodeBeliefs>();
  readonly #closed = new ClosedInodes();
  readonly #xattrLess: XattrLessInodes;

  constructor({ meta, clock, attrCacheMs }: BeliefsOptions) {
    const validity = new Validity(clock, attrCacheMs);
    const changes = new OwnChanges();
    this.#sources = { meta, validity, changes, extentCache: new ExtentCache(EXTENT_CACHE_BYTES) };
    this.#xattrLess = new XattrLessInodes(validity, changes);
  }

  /** To be called before a request whose reply is then told here. */
  askedNow(): AskedAt {
    const { changes, validity } = this.#sources;
    return changes.askedAt(validity.nowMs);
  }

  /** What was asked for then is still believed. */
  holds(asked: AskedAt): boolean {
    return this.#sources.validity.holds(asked.ms);
  }

  /** A file that wasn't open is. `unchanged`: it is as it was when it was last closed. */
  opened(reply: OpenReply, asked: AskedAt): { inode: InodeBeliefs; unchanged: boolean } {
    this.#xattrLess.note(reply.attr, asked);
    const inode = new InodeBeliefs(this.#sources, reply, asked);
    this.#files.set(inode.ino, inode);
    return { inode, unchanged: this.#closed.opened(reply.attr) };
  }

  /** An open file was opened once more; true when it is as this mount last knew it. */
  reopened(inode: InodeBeliefs, reply: OpenReply, asked: AskedAt): boolean {
    this.#xattrLess.note(reply.attr, asked);
    return inode.reopened(reply, asked);
  }

  /** The last handle is gone. `whole`: all that was written reached the server. */
  closed(inode: InodeBeliefs, whole: boolean): void {
    inode.forgetExtents();
    if (this.#files.get(inode.ino) !== inode) return;
    this.#files.delete(inode.ino);
    if (inode.traceable && whole) this.#closed.closed(inode.attr);
  }

  /** A reply brought these attributes. */
  seen(attr: Attr, asked: AskedAt): void {
    this.#xattrLess.note(attr, asked);
    this.directories.seen(attr, asked);
    this.#files.get(attr.ino)?.observe(attr, asked);
  }

  /** This mount has changed names: link counts of inodes that they don't name are in doubt. */
  namesChanged(): number {
    return this.#sources.changes.nextOfNames();
  }

  /**
   * This mount has changed an xattr, which was asked for then, and the inode has the attributes
   * `reply` since; without a reply nobody knows. A list for access changes the mode as well.
   * `changing`: other changes of the inode are under way, whose replies may be older.
   */
  xattrsChanged(ino: Ino, reply: Attr | undefined, asked: AskedAt, changing: boolean): void {
    this.#xattrLess.changed(ino, reply, asked);
    this.#files.get(ino)?.xattrsChanged(reply, asked, changing);
    if (reply !== undefined) this.directories.seen(reply, asked);
  }

  /** The server may have forgotten what it said: nothing is believed any more. */
  forgetAll(): void {
    for (const inode of this.#files.values()) inode.rolledBack();
    this.#closed.clear();
    this.#sources.changes.nextOfNames();
    this.#xattrLess.forgetAll();
  }

  /** The inode is known to have no extended attributes. */
  hasNoXattrs(ino: Ino): boolean {
    return this.#xattrLess.has(ino);
  }
}
