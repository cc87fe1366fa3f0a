// Fills the kernel's directory buffers from pages of entries, whose sizes have nothing to do with
// them.
import { FsError } from "../../domain/errno.ts";
import type { DirEntry } from "../../protocol/meta/meta-service.ts";
import type { FileHandle, MaybePromise, Vfs } from "../../vfs/vfs.ts";
import { countsAsLookup, direntBytes } from "./reply-writer.ts";

interface Fill {
  readonly plus: boolean;
  readonly taken: DirEntry[];
  roomBytes: number;
}

/**
 * The state of one open directory: the rest of the last page. The Vfs counts a lookup for each
 * entry that it hands out with attributes; those that the kernel doesn't get to see are given back.
 */
export class DirectoryStream {
  readonly #vfs: Vfs;
  readonly #fh: FileHandle;
  #page: readonly DirEntry[] = [];
  #next = 0;
  /** Cookie of the entry before page[next]. */
  #cursor = 0;
  #pageCounts = false;
  #ended = false;
  #running: Promise<unknown> | undefined;

  constructor(vfs: Vfs, fh: FileHandle) {
    this.#vfs = vfs;
    this.#fh = fh;
  }

  /**
   * Entries after `cursor` that fit in `sizeBytes`, as many as there are.
   * @throws FsError EINVAL when not one fits
   */
  read(cursor: number, sizeBytes: number, plus: boolean): MaybePromise<readonly DirEntry[]> {
    if (this.#running !== undefined) {
      return this.#running.then(() => this.read(cursor, sizeBytes, plus));
    }
    if (cursor !== this.#cursor || cursor === 0) this.#seek(cursor);
    const result = this.#fill({ plus, taken: [], roomBytes: sizeBytes });
    if (result instanceof Promise) {
      const done = (): void => {
        this.#running = undefined;
      };
      this.#running = result.then(done, done);
    }
    return result;
  }

  /** Gives the lookups back of what the kernel hasn't been shown. */
  drop(): void {
    for (; this.#next < this.#page.length; this.#next++) this.#giveBack(this.#page[this.#next]);
  }

  #seek(cursor: number): void {
    const index = this.#page.findIndex((entry) => entry.cookie === cursor);
    if (index >= this.#next) {
      for (; this.#next <= index; this.#next++) this.#giveBack(this.#page[this.#next]);
    } else {
      this.drop();
      this.#page = [];
      this.#next = 0;
      this.#ended = false;
    }
    this.#cursor = cursor;
  }

  #fill(fill: Fill): MaybePromise<readonly DirEntry[]> {
    for (;;) {
      if (this.#take(fill) || this.#ended) return fill.taken;
      let page: MaybePromise<readonly DirEntry[]>;
      try {
        page = this.#vfs.readdir(this.#fh, this.#cursor, fill.plus);
      } catch (error) {
        return failUnlessTaken(fill, error);
      }
      if (page instanceof Promise) {
        return page.then(
          (entries) => {
            this.#accept(entries, fill.plus);
            return this.#fill(fill);
          },
          (error: unknown) => failUnlessTaken(fill, error),
        );
      }
      this.#accept(page, fill.plus);
    }
  }

  #accept(entries: readonly DirEntry[], counts: boolean): void {
    this.#page = entries;
    this.#next = 0;
    this.#pageCounts = counts;
    this.#ended = entries.length === 0;
  }

  /** Takes what fits. True when the buffer is full. */
  #take(fill: Fill): boolean {
    for (; this.#next < this.#page.length; this.#next++) {
      const entry = this.#page[this.#next];
      if (entry === undefined) break;
      const size = direntBytes(entry, fill.plus);
      if (size > fill.roomBytes) {
        if (fill.taken.length === 0) throw new FsError("EINVAL", "directory buffer is too small");
        return true;
      }
      fill.roomBytes -= size;
      if (!fill.plus) this.#giveBack(entry);
      fill.taken.push(fill.plus && !this.#pageCounts ? withoutAttr(entry) : entry);
      this.#cursor = entry.cookie;
    }
    return false;
  }

  #giveBack(entry: DirEntry | undefined): void {
    if (this.#pageCounts && entry !== undefined && countsAsLookup(entry)) {
      this.#vfs.forget(entry.ino, 1);
    }
  }
}

/** Entries that came without being counted must not be counted by the kernel. */
function withoutAttr(entry: DirEntry): DirEntry {
  if (entry.attr === undefined) return entry;
  return { name: entry.name, ino: entry.ino, mode: entry.mode, cookie: entry.cookie };
}

/** What was taken is told; the error comes again with the next request. */
function failUnlessTaken(fill: Fill, error: unknown): readonly DirEntry[] {
  if (fill.taken.length > 0) return fill.taken;
  throw error;
}
