// Reusable buffers in sizes of powers of two. A returned buffer rests until the event loop has
// turned, because views of it may be on their way to a caller that uses them right after awaiting.
import { invariant } from "../domain/invariant.ts";
import type { Clock } from "../platform/clock.ts";

const SMALLEST_BYTES = 4096;

/** Length of the buffer that a pool hands out for `sizeBytes`. */
export function bufferCapacity(sizeBytes: number): number {
  let capacity = SMALLEST_BYTES;
  while (capacity < sizeBytes) capacity *= 2;
  return capacity;
}

export class BufferPool {
  readonly #clock: Clock;
  readonly #maxFreeBytes: number;
  readonly #free = new Map<number, Uint8Array[]>();
  #freeBytes = 0;
  #resting: Uint8Array[] = [];

  constructor(clock: Clock, maxFreeBytes: number) {
    this.#clock = clock;
    this.#maxFreeBytes = maxFreeBytes;
  }

  /** A buffer of at least `sizeBytes` with arbitrary content. */
  acquire(sizeBytes: number): Uint8Array {
    const capacity = bufferCapacity(sizeBytes);
    const buffer = this.#free.get(capacity)?.pop();
    if (buffer !== undefined) {
      this.#freeBytes -= capacity;
      return buffer;
    }
    return Buffer.allocUnsafeSlow(capacity);
  }

  /** Takes back a whole buffer that came from acquire and that nobody writes to or keeps. */
  recycle(buffer: Uint8Array): void {
    const bytes = buffer.length;
    invariant(
      bytes === bufferCapacity(bytes) && bytes === buffer.buffer.byteLength,
      "only whole buffers of the pool come back",
      { bytes },
    );
    this.#resting.push(buffer);
    if (this.#resting.length === 1) this.#clock.after(0, () => this.#wake());
  }

  #wake(): void {
    const rested = this.#resting;
    this.#resting = [];
    for (const buffer of rested) {
      if (this.#freeBytes + buffer.length > this.#maxFreeBytes) continue;
      this.#freeBytes += buffer.length;
      const list = this.#free.get(buffer.length);
      if (list === undefined) this.#free.set(buffer.length, [buffer]);
      else list.push(buffer);
    }
  }
}
