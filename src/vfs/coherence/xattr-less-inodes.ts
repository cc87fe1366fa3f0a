// Inodes known to have no extended attributes: for every file that `ls -l` shows it asks for two,
// its label and its ACL, and the attributes that came with the listing have told already that there
// are none.
import type { Attr } from "../../domain/attributes.ts";
import type { Ino } from "../../domain/ids.ts";
import { MAX_XATTR_LESS_INODES } from "./limits.ts";
import type { Clock } from "../../platform/clock.ts";

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
  /** When it was asked, by inode. Two generations, so that forgetting costs nothing. */
  #young = new Map<Ino, number>();
  #old = new Map<Ino, number>();
  #rotatedMs = 0;
  /** Number of the latest own change of an xattr. */
  #changed = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  note(attr: Attr, asked: { readonly nameChange: number; readonly ms: number }): void {
    if (attr.hasXattrs === true) this.#forget(attr.ino);
    else if (asked.nameChange >= this.#changed) {
      this.#rotate();
      this.#young.set(attr.ino, asked.ms);
    }
  }

  has(ino: Ino): boolean {
    const askedMs = this.#young.get(ino) ?? this.#old.get(ino);
    if (askedMs === undefined) return false;
    return this.#parts.clock.monotonicMs() - askedMs < this.#parts.attrCacheMs;
  }

  /** This client has changed an xattr: replies that are on their way may be older. */
  changed(): void {
    this.#changed = this.#parts.nameChanges.now;
    this.#young.clear();
    this.#old.clear();
  }

  #forget(ino: Ino): void {
    this.#young.delete(ino);
    this.#old.delete(ino);
  }

  #rotate(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    const full = this.#young.size >= MAX_XATTR_LESS_INODES;
    if (!full && nowMs - this.#rotatedMs < this.#parts.attrCacheMs) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#rotatedMs = nowMs;
  }
}
