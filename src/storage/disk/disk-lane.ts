// How a node reads and writes its files: at once while the disk answers from its cache, which is
// the cheapest way by far, and through the thread pool after an answer that took long, so that a
// slow disk doesn't stop the process.
import type { Clock } from "../../platform/clock.ts";
import { writeAll, writeAllSync, type DiskFile } from "../../platform/disk/disk.ts";
import { DISK_SLOW_CALL_MS, DISK_SLOW_FOR_MS } from "./limits.ts";

export class DiskLane {
  readonly #clock: Clock;
  #slowUntilMs = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Fills `target` from `position`; brings the bytes read, fewer only at the file's end. */
  read(file: DiskFile, target: Uint8Array, position: number): number | Promise<number> {
    const startMs = this.#clock.monotonicMs();
    if (startMs < this.#slowUntilMs) return this.#readSlowly(file, target, position, startMs);
    let done = 0;
    while (done < target.length) {
      const got = file.readSync(target, done, position + done);
      if (got === 0) break;
      done += got;
    }
    this.#judge(startMs);
    return done;
  }

  /** Writes all of `bytes` at `position`; they must not change before it is done. */
  write(file: DiskFile, bytes: Uint8Array, position: number): void | Promise<void> {
    const startMs = this.#clock.monotonicMs();
    if (startMs < this.#slowUntilMs) return this.#writeSlowly(file, bytes, position, startMs);
    writeAllSync(file, bytes, position);
    this.#judge(startMs);
  }

  async #readSlowly(
    file: DiskFile,
    target: Uint8Array,
    position: number,
    startMs: number,
  ): Promise<number> {
    let done = 0;
    while (done < target.length) {
      const got = await file.read(target, done, position + done);
      if (got === 0) break;
      done += got;
    }
    this.#judge(startMs);
    return done;
  }

  async #writeSlowly(
    file: DiskFile,
    bytes: Uint8Array,
    position: number,
    startMs: number,
  ): Promise<void> {
    await writeAll(file, bytes, position);
    this.#judge(startMs);
  }

  #judge(startMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - startMs > DISK_SLOW_CALL_MS) this.#slowUntilMs = nowMs + DISK_SLOW_FOR_MS;
  }
}
