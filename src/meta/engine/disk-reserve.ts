// The part of its disk that the metadata store leaves free, so that journal and database always
// find room for what shrinks it: deleting must work on a full disk.
import { METADATA_RESERVE_BYTES, METADATA_SPACE_MAX_AGE_MS } from "./limits.ts";
import type { Clock } from "../../platform/clock.ts";
import type { DiskFigures } from "../../platform/disk/disk.ts";

/** A reserve takes no more than this share of a small disk. */
const MAX_RESERVE_SHARE = 0.5;
/**
 * Part of the reserve that is for the journals, which can't use what the database has free inside.
 */
const JOURNALS_SHARE = 1 / 3;

export class DiskReserve {
  readonly #measure: () => DiskFigures;
  readonly #reusableBytes: () => number;
  readonly #clock: Clock;
  readonly reserveBytes: number;
  #hasRoom: boolean;
  #measuredMs: number;

  /** @param reusableBytes what the database's file has free inside */
  constructor(measure: () => DiskFigures, reusableBytes: () => number, clock: Clock) {
    this.#measure = measure;
    this.#reusableBytes = reusableBytes;
    this.#clock = clock;
    const share = measure().totalBytes * MAX_RESERVE_SHARE;
    this.reserveBytes = Math.min(METADATA_RESERVE_BYTES, share);
    this.#hasRoom = this.#look();
    this.#measuredMs = clock.monotonicMs();
  }

  /** As it was a moment ago, which the reserve is large enough for. */
  hasRoom(): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#measuredMs > METADATA_SPACE_MAX_AGE_MS) {
      this.#hasRoom = this.#look();
      this.#measuredMs = nowMs;
    }
    return this.#hasRoom;
  }

  /** The disk has less left than journal and database may need at any moment. */
  isShort(): boolean {
    return this.#measure().freeBytes < this.reserveBytes;
  }

  #look(): boolean {
    const { freeBytes } = this.#measure();
    if (freeBytes < this.reserveBytes * JOURNALS_SHARE) return false;
    return freeBytes + this.#reusableBytes() > this.reserveBytes;
  }
}
