// Inodes known to have no extended attributes: for every file that `ls -l` shows it asks for two,
// its label and its ACL, and the attributes that came with the listing have told already that there
// are none.
import type { Attr } from "../../domain/attributes.ts";
import type { Ino } from "../../domain/ids.ts";
import { MAX_XATTR_LESS_INODES } from "./limits.ts";
import type { GenerationMap } from "../../platform/flow/generation-map.ts";
import type { AskedAt, OwnChanges } from "./own-changes.ts";
import type { Validity } from "./validity.ts";

/**
 * What is told is believed for as long as attributes are, and not beyond an own change of the
 * inode's xattrs.
 */
export class XattrLessInodes {
  readonly #validity: Validity;
  readonly #changes: OwnChanges;
  /** When it was asked, by inode. */
  readonly #askedMs: GenerationMap<Ino, number>;
  /** Number of the latest own change of an xattr. */
  #changed = 0;

  constructor(validity: Validity, changes: OwnChanges) {
    this.#validity = validity;
    this.#changes = changes;
    this.#askedMs = validity.generations(MAX_XATTR_LESS_INODES);
  }

  note(attr: Attr, asked: AskedAt): void {
    if (attr.hasXattrs === true) this.#askedMs.delete(attr.ino);
    else if (asked.change >= this.#changed) this.#askedMs.set(attr.ino, asked.ms);
  }

  has(ino: Ino): boolean {
    const askedMs = this.#askedMs.get(ino);
    return askedMs !== undefined && this.#validity.holds(askedMs);
  }

  /**
   * This client has, or may have, changed xattrs of the inode: replies that are on their way may be
   * older. Its own reply, where it came, tells what there is now, unless another such change was
   * acknowledged while it was under way.
   */
  changed(ino: Ino, reply: Attr | undefined, asked: AskedAt): void {
    const isLatest = asked.change >= this.#changed;
    this.#changed = this.#changes.nextOfFiles();
    this.#askedMs.delete(ino);
    if (reply === undefined || reply.hasXattrs === true || !isLatest) return;
    this.#askedMs.set(ino, asked.ms);
  }

  /** Nothing is believed any more, nor what is on its way. */
  forgetAll(): void {
    this.#changed = this.#changes.nextOfFiles();
    this.#askedMs.clear();
  }
}
