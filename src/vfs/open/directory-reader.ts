// One open directory: pages from the server, handed out as the caller asks for them, with "." and
// ".." in front. Cookies are the server's moved up by two.
import type { Attr, Caller } from "../../domain/attributes.ts";
import { S_IFDIR } from "../../domain/attributes.ts";
import type { Ino, Name } from "../../domain/ids.ts";
import { MAX_READDIR_ENTRIES } from "../../protocol/meta/limits.ts";
import type { DirEntry, DirPage, MetaService } from "../../protocol/meta/meta-service.ts";
import type { Beliefs } from "../coherence/beliefs.ts";
import type { AskedAt } from "../coherence/own-changes.ts";
import type { OpenFiles } from "./open-files.ts";
import type { MaybePromise } from "../vfs.ts";

const DOT_COOKIE = 1;
const DOT_DOT_COOKIE = 2;
const COOKIE_SHIFT = 2;

export interface DirectoryServices {
  readonly meta: Pick<MetaService, "readdir">;
  readonly beliefs: Beliefs;
}

interface Page {
  asked: AskedAt;
  /** Of the directory. */
  attr: Attr;
  withAttrs: boolean;
  /** Cookie before the first entry, ours. */
  after: number;
  /** With our cookies. */
  entries: DirEntry[];
  more: boolean;
}

export class DirectoryReader {
  readonly ino: Ino;
  readonly #services: DirectoryServices;
  readonly #files: OpenFiles;
  readonly #caller: Caller;
  #page: Page | undefined;
  #parent: Ino;
  #readBefore = false;

  constructor(services: DirectoryServices, files: OpenFiles, caller: Caller, ino: Ino) {
    this.#services = services;
    this.#files = files;
    this.#caller = caller;
    this.ino = ino;
    this.#parent = ino;
  }

  /** Fetches the first page, so that a directory that can't be read fails to open. */
  async open(): Promise<void> {
    const { attr, asked } = await this.#fetch(DOT_DOT_COOKIE, true);
    this.#services.beliefs.directories.opened(attr, asked);
  }

  close(): void {
    this.#services.beliefs.directories.closed(this.ino);
  }

  /** Entries after `cursor`; none at the end. @throws FsError of readdir */
  read(cursor: number, withAttrs: boolean): MaybePromise<readonly DirEntry[]> {
    // Reading from the start again must see what has changed in between.
    if (cursor === 0 && this.#readBefore) this.#page = undefined;
    this.#readBefore = true;
    const from = Math.max(cursor, DOT_DOT_COOKIE);
    const ready = this.#entriesAfter(from, withAttrs);
    return ready === undefined
      ? this.#readLater(cursor, from, withAttrs)
      : this.#deliver(cursor, ready);
  }

  async #readLater(cursor: number, from: number, withAttrs: boolean): Promise<readonly DirEntry[]> {
    const page = await this.#fetch(from, withAttrs);
    return this.#deliver(cursor, page.entries);
  }

  /** What the page in hand has after `cookie`; undefined when the server has to be asked. */
  #entriesAfter(cookie: number, withAttrs: boolean): DirEntry[] | undefined {
    const page = this.#page;
    if (page === undefined || (withAttrs && !page.withAttrs)) return undefined;
    if (!this.#services.beliefs.holds(page.asked)) return undefined;
    if (cookie === page.after) return page.entries;
    const index = page.entries.findIndex((entry) => entry.cookie === cookie);
    if (index < 0) return undefined;
    const rest = page.entries.slice(index + 1);
    return rest.length === 0 && page.more ? undefined : rest;
  }

  #deliver(cursor: number, entries: readonly DirEntry[]): readonly DirEntry[] {
    const asked = this.#page?.asked ?? this.#services.beliefs.askedNow();
    const shown = entries.map((entry) =>
      entry.attr === undefined ? entry : { ...entry, attr: this.#files.show(entry.attr, asked) },
    );
    if (cursor >= DOT_DOT_COOKIE) return shown;
    const dots = [
      dotEntry(".", this.ino, DOT_COOKIE),
      dotEntry("..", this.#parent, DOT_DOT_COOKIE),
    ];
    return [...dots.slice(cursor), ...shown];
  }

  async #fetch(after: number, withAttrs: boolean): Promise<Page> {
    const { beliefs, meta } = this.#services;
    const asked = beliefs.askedNow();
    const { attr, parent, more, ...reply }: DirPage = await meta.readdir(
      this.#caller,
      this.ino,
      after - COOKIE_SHIFT,
      MAX_READDIR_ENTRIES,
      withAttrs,
    );
    const entries = reply.entries.map((entry) => ({
      ...entry,
      cookie: entry.cookie + COOKIE_SHIFT,
    }));
    beliefs.seen(attr, asked);
    this.#parent = parent;
    this.#page = { asked, attr, withAttrs, after, entries, more };
    return this.#page;
  }
}

function dotEntry(name: string, ino: Ino, cookie: number): DirEntry {
  return { name: name as Name, ino, mode: S_IFDIR, cookie }; // "." and ".." are no Name elsewhere
}
