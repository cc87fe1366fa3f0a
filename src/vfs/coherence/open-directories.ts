// Attributes of the directories that are open, so that fstat answers when they have been removed:
// the server knows nothing of them then.
import type { Attr } from "../../domain/attributes.ts";
import type { Ino } from "../../domain/ids.ts";

export class OpenDirectories {
  readonly #open = new Map<Ino, { attr: Attr; handles: number }>();

  opened(attr: Attr): void {
    const handles = this.#open.get(attr.ino)?.handles ?? 0;
    this.#open.set(attr.ino, { attr, handles: handles + 1 });
  }

  closed(ino: Ino): void {
    const known = this.#open.get(ino);
    if (known === undefined) return;
    known.handles -= 1;
    if (known.handles === 0) this.#open.delete(ino);
  }

  /** Attributes that a reply brought. */
  seen(attr: Attr): void {
    const known = this.#open.get(attr.ino);
    if (known !== undefined) known.attr = attr;
  }

  /** As it was when it was removed; undefined when it isn't open. */
  removed(ino: Ino): Attr | undefined {
    const known = this.#open.get(ino);
    return known === undefined ? undefined : { ...known.attr, nlink: 0 };
  }
}
