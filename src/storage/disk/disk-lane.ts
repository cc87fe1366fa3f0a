// How a node reads and writes its files: at once while the disk answers from its cache, which is
// the cheapest way by far, and through the thread pool after an answer that took long, so that a
// slow disk doesn't stop the process.
import { read, readSync, write, writeSync } from "node:fs";
import type { Clock } from "../../platform/clock.ts";
import { DISK_SLOW_CALL_MS, DISK_SLOW_FOR_MS } from "./limits.ts";

export class DiskLane {
  readonly #clock: Clock;
  #slowUntilMs = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Fills `target` from `position`; brings the bytes read, fewer only at the file's end. */
  read(fd: number, target: Uint8Array, position: number): number | Promise<number> {
    const startMs = this.#clock.monotonicMs();
    if (startMs < this.#slowUntilMs) return this.#readSlowly(fd, target, position, startMs);
    let done = 0;
    while (done < target.length) {
      const got = readSync(fd, target, done, target.length - done, position + done);
      if (got === 0) break;
      done += got;
    }
    this.#judge(startMs);
    return done;
  }

  /** Writes all of `bytes` at `position`; they must not change before it is done. */
  write(fd: number, bytes: Uint8Array, position: number): void | Promise<void> {
    const startMs = this.#clock.monotonicMs();
    if (startMs < this.#slowUntilMs) return this.#writeSlowly(fd, bytes, position, startMs);
    for (let done = 0; done < bytes.length;) {
      done += writeSync(fd, bytes, done, bytes.length - done, position + done);
    }
    this.#judge(startMs);
  }

  async #readSlowly(
    fd: number,
    target: Uint8Array,
    position: number,
    startMs: number,
  ): Promise<number> {
    let done = 0;
    while (done < target.length) {
      const got = await readPart(fd, target, done, position + done);
      if (got === 0) break;
      done += got;
    }
    this.#judge(startMs);
    return done;
  }

  async #writeSlowly(
    fd: number,
    bytes: Uint8Array,
    position: number,
    startMs: number,
  ): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      done += await writePart(fd, bytes, done, position + done);
    }
    this.#judge(startMs);
  }

  #judge(startMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - startMs > DISK_SLOW_CALL_MS) this.#slowUntilMs = nowMs + DISK_SLOW_FOR_MS;
  }
}

function readPart(fd: number, target: Uint8Array, at: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, target, at, target.length - at, position, (error, got) => {
      if (error === null) resolve(got);
      else reject(error);
    });
  });
}

function writePart(fd: number, bytes: Uint8Array, at: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, at, bytes.length - at, position, (error, done) => {
      if (error === null) resolve(done);
      else reject(error);
    });
  });
}
