// What the kernel was told of inodes a moment ago and may still believe. At an open that finds the
// file changed by another client since, it must be put right: close-to-open.
import type { Attr } from "../../domain/attributes.ts";
import type { Ino } from "../../domain/ids.ts";
import type { GenerationMap } from "../../platform/flow/generation-map.ts";
import { contentNumber } from "./content-version.ts";
import { MAX_TOLD_INODES } from "./limits.ts";
import type { Validity } from "./validity.ts";

interface Told {
  readonly version: number;
  sizeBytes: number;
}

/**
 * Entries live for one to two validity times, so that those the kernel still has are among them.
 */
export class ToldAttributes {
  readonly #told: GenerationMap<Ino, Told>;
  /** By thread, for which inode it was sent back. */
  readonly #sentBack: GenerationMap<number, Ino>;

  /** @param validity how long the kernel believes attributes */
  constructor(validity: Validity) {
    this.#told = validity.generations(MAX_TOLD_INODES);
    this.#sentBack = validity.generations(MAX_TOLD_INODES);
  }

  note(attr: Attr): void {
    this.#told.set(attr.ino, { version: contentNumber(attr), sizeBytes: attr.sizeBytes });
  }

  /** The kernel knows of what is written through it. */
  noteWrite(ino: Ino, end: number): void {
    const told = this.#told.get(ino);
    if (told !== undefined && told.sizeBytes < end) told.sizeBytes = end;
  }

  /** The kernel may believe something else of the inode than `attr`. */
  differs(attr: Attr): boolean {
    this.#told.turn();
    const told = this.#told.get(attr.ino);
    return told !== undefined && told.version !== contentNumber(attr);
  }

  /** The kernel believes nothing of the inode any more. */
  forget(ino: Ino): void {
    this.#told.delete(ino);
  }

  /**
   * Whoever opens the file must look its name up again: another inode may have it by now, or an
   * append would go where the kernel believes the end to be. Not true twice in a row for a thread,
   * which must not be sent back for ever; what one thread was told is no answer for another.
   */
  mustLookAgain({ ino, nlink, sizeBytes }: Attr, appends: boolean, thread: number): boolean {
    this.#told.turn();
    const told = this.#told.get(ino);
    const wrongEnd = appends && told !== undefined && told.sizeBytes !== sizeBytes;
    const sentBack = this.#sentBack.get(thread) === ino;
    this.#sentBack.delete(thread);
    if (sentBack || !(wrongEnd || nlink === 0)) return false;
    this.#sentBack.set(thread, ino);
    return true;
  }
}
