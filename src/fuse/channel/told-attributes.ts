// What the kernel was told of inodes a moment ago and may still believe. At an open that finds the
// file changed by another client since, it must be put right: close-to-open.
import type { Attr } from "../../domain/attributes.ts";
import type { Ino } from "../../domain/ids.ts";
import type { Clock } from "../../platform/clock.ts";
import { GenerationMap } from "../../platform/flow/generation-map.ts";

/**
 * A number that any change of the content changes; two alike by chance cost one moment's staleness.
 */
function versionOf(attr: Attr): number {
  const { sizeBytes, mtimeSec, mtimeNsec, ctimeSec, ctimeNsec } = attr;
  return sizeBytes + (ctimeSec % 1e6) * 1e9 + ctimeNsec + ((mtimeSec % 1e3) * 1e9 + mtimeNsec) / 7;
}

/**
 * More are told in a validity time only where that is long; then the oldest are forgotten early.
 */
const MAX_TOLD = 65_536;

interface Told {
  readonly version: number;
  sizeBytes: number;
}

/**
 * Entries live for one to two validity times, so that those the kernel still has are among them.
 */
export class ToldAttributes {
  readonly #told: GenerationMap<Ino, Told>;
  readonly #sentBack = new Set<Ino>();

  constructor(clock: Clock, validMs: number) {
    this.#told = new GenerationMap(clock, validMs, MAX_TOLD, () => this.#sentBack.clear());
  }

  note(attr: Attr): void {
    this.#told.set(attr.ino, { version: versionOf(attr), sizeBytes: attr.sizeBytes });
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
    return told !== undefined && told.version !== versionOf(attr);
  }

  /** The kernel believes nothing of the inode any more. */
  forget(ino: Ino): void {
    this.#told.delete(ino);
  }

  /**
   * Whoever opens the file must look its name up again: another inode may have it by now, or an
   * append would go where the kernel believes the end to be. Not true twice in a row: a caller must
   * not be sent back for ever.
   */
  mustLookAgain({ ino, nlink, sizeBytes }: Attr, appends: boolean): boolean {
    this.#told.turn();
    const told = this.#told.get(ino);
    const wrongEnd = appends && told !== undefined && told.sizeBytes !== sizeBytes;
    const sentBack = this.#sentBack.delete(ino);
    if (sentBack || !(wrongEnd || nlink === 0)) return false;
    this.#sentBack.add(ino);
    return true;
  }
}
