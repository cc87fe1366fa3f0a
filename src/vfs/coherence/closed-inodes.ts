// The attributes of inodes at their last close: an open that finds the same ones may let the kernel
// keep the pages it has.
import type { Attr } from "../../domain/attributes.ts";
import type { Ino } from "../../domain/ids.ts";
import { BoundedMap } from "../../platform/flow/bounded-map.ts";
import { sameContent } from "./content-version.ts";
import { MAX_REMEMBERED_INODES } from "./limits.ts";

export class ClosedInodes {
  readonly #byIno = new BoundedMap<Ino, Attr>(MAX_REMEMBERED_INODES);

  closed(attr: Attr): void {
    this.#byIno.set(attr.ino, attr);
  }

  /** Opened again: true when its content is what it was at the last close. */
  opened(attr: Attr): boolean {
    const last = this.#byIno.get(attr.ino);
    this.#byIno.delete(attr.ino);
    return last !== undefined && sameContent(last, attr);
  }

  clear(): void {
    this.#byIno.clear();
  }
}
