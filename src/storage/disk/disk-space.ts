// Whether a node may take more: within --capacity, and never the disk's last reserve, which the
// index and other programs need.
import { FsError } from "../../domain/errno.ts";
import {
  DISK_RESERVE_FRACTION,
  MAX_DISK_RESERVE_BYTES,
  STATFS_MAX_AGE_MS,
  TRASH_YIELD_SHARE,
} from "./limits.ts";
import type { Clock } from "../../platform/clock.ts";
import type { DiskFigures } from "../../platform/disk/disk.ts";

export class DiskSpace {
  readonly #clock: Clock;
  readonly #limitBytes: number;
  readonly #measure: () => DiskFigures;
  #figures: DiskFigures;
  #measuredMs: number;
  /** Bytes of shards that are arriving, and of those that came since the last measurement. */
  #arrivingBytes = 0;
  #sinceBytes = 0;

  /** @param limitBytes what the operator allows the node's shards to take, if he does */
  constructor(clock: Clock, measure: () => DiskFigures, limitBytes = Infinity) {
    this.#clock = clock;
    this.#limitBytes = limitBytes;
    this.#measure = measure;
    this.#figures = measure();
    this.#measuredMs = clock.monotonicMs();
  }

  /** What the node's shards may take in all, given what they and the trash take now. */
  capacityBytes(usedBytes: number, trashBytes: number): number {
    return Math.min(this.#limitBytes, usedBytes + trashBytes + this.#freeBytes());
  }

  /** True when so little is left that the trash must give way. */
  isShort(usedBytes: number, trashBytes: number): boolean {
    const room = Math.min(this.#limitBytes - usedBytes - trashBytes, this.#freeBytes());
    const capacityBytes = this.capacityBytes(usedBytes, trashBytes);
    return room - this.#arrivingBytes < capacityBytes * TRASH_YIELD_SHARE;
  }

  /**
   * Sets `sizeBytes` aside; give them back with `settle`.
   * @throws FsError ENOSPC
   */
  reserve(sizeBytes: number, usedBytes: number): void {
    const wanted = this.#arrivingBytes + sizeBytes;
    if (usedBytes + wanted > this.#limitBytes) {
      throw new FsError("ENOSPC", `the node holds all that its capacity allows`);
    }
    if (wanted > this.#freeBytes()) {
      throw new FsError("ENOSPC", "the node's disk is full but for its reserve");
    }
    this.#arrivingBytes = wanted;
  }

  /** Ends a reservation, whether its bytes were kept or not. */
  settle(sizeBytes: number, kept: boolean): void {
    this.#arrivingBytes -= sizeBytes;
    if (kept) this.#sinceBytes += sizeBytes;
  }

  /** Something that was kept is gone. */
  freed(sizeBytes: number): void {
    this.#sinceBytes -= sizeBytes;
  }

  #freeBytes(): number {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#measuredMs > STATFS_MAX_AGE_MS) {
      this.#figures = this.#measure();
      this.#measuredMs = nowMs;
      this.#sinceBytes = 0;
    }
    const { totalBytes, freeBytes } = this.#figures;
    const reserve = Math.min(totalBytes * DISK_RESERVE_FRACTION, MAX_DISK_RESERVE_BYTES);
    return Math.max(0, freeBytes - reserve - this.#sinceBytes);
  }
}
