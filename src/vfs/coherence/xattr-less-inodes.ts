// Inodes known to have no extended attributes: for every file that `ls -l` shows it asks for two,
// its label and its ACL, and the attributes that came with the listing have told already that there
// are none.
import type { Attr } from "../../domain/attributes.ts";
import type { Ino } from "../../domain/ids.ts";
import { MAX_XATTR_LESS_INODES } from "./limits.ts";
import type { Clock } from "../../platform/clock.ts";
import { GenerationMap } from "../../platform/flow/generation-map.ts";

interface Parts {
  readonly clock: Clock;
  readonly attrCacheMs: number;
  /** The mount's own changes of names and xattrs. */
  readonly nameChanges: { readonly now: number };
}

/**
 * What is told is believed for as long as attributes are, and not beyond an own change of an xattr.
 */
export class XattrLessInodes {
  readonly #parts: Parts;
  /** When it was asked, by inode. */
  readonly #askedMs: GenerationMap<Ino, number>;
  /** Number of the latest own change of an xattr. */
  #changed = 0;

  constructor(parts: Parts) {
    const { clock, attrCacheMs } = parts;
    this.#parts = parts;
    this.#askedMs = new GenerationMap(clock, attrCacheMs, MAX_XATTR_LESS_INODES);
  }

  note(attr: Attr, asked: { readonly nameChange: number; readonly ms: number }): void {
    if (attr.hasXattrs === true) this.#askedMs.delete(attr.ino);
    else if (asked.nameChange >= this.#changed) this.#askedMs.set(attr.ino, asked.ms);
  }

  has(ino: Ino): boolean {
    const askedMs = this.#askedMs.get(ino);
    if (askedMs === undefined) return false;
    return this.#parts.clock.monotonicMs() - askedMs < this.#parts.attrCacheMs;
  }

  /** This client has changed an xattr: replies that are on their way may be older. */
  changed(): void {
    this.#changed = this.#parts.nameChanges.now;
    this.#askedMs.clear();
  }
}
