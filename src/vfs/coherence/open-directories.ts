// Attributes of the directories that are open, so that fstat answers when they have been removed:
// the server knows nothing of them then.
import type { Attr } from "../../domain/attributes.ts";
import type { Ino } from "../../domain/ids.ts";
import type { AskedAt } from "./own-changes.ts";

interface OpenDirectory {
  attr: Attr;
  /** When they were asked for. */
  askedMs: number;
  handles: number;
}

export class OpenDirectories {
  readonly #open = new Map<Ino, OpenDirectory>();

  opened(attr: Attr, asked: AskedAt): void {
    const handles = this.#open.get(attr.ino)?.handles ?? 0;
    this.#open.set(attr.ino, { attr, askedMs: asked.ms, handles: handles + 1 });
  }

  closed(ino: Ino): void {
    const known = this.#open.get(ino);
    if (known === undefined) return;
    known.handles -= 1;
    if (known.handles === 0) this.#open.delete(ino);
  }

  /** Attributes that a reply brought; a page of entries may be older than what is known. */
  seen(attr: Attr, asked: AskedAt): void {
    const known = this.#open.get(attr.ino);
    if (known === undefined || asked.ms < known.askedMs) return;
    known.attr = attr;
    known.askedMs = asked.ms;
  }

  /** As it was when it was removed; undefined when it isn't open. */
  removed(ino: Ino): Attr | undefined {
    const known = this.#open.get(ino);
    return known === undefined ? undefined : { ...known.attr, nlink: 0 };
  }
}
