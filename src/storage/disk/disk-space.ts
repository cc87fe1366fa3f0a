// Whether a node may take more: within --capacity, and never the disk's last reserve, which the
// index and other programs need.
import { FsError } from "../../domain/errno.ts";
import { DISK_RESERVE_FRACTION, MAX_DISK_RESERVE_BYTES, STATFS_MAX_AGE_MS } from "./limits.ts";
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

  /** What the node's shards may take in all, given what they take now. */
  capacityBytes(usedBytes: number): number {
    return Math.min(this.#limitBytes, usedBytes + this.#freeBytes());
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
