// Bytes of dirty buffers of one mount. Writers beyond the bound wait their turn here.
import { invariant } from "../../domain/invariant.ts";

interface Waiter {
  bytes: number;
  wake: () => void;
}

export class DirtyBudget {
  readonly #maxBytes: number;
  #usedBytes = 0;
  readonly #waiters: Waiter[] = [];
  #relieve: () => void = () => undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** A writer that comes now has to `reserve`. */
  get full(): boolean {
    return this.#usedBytes >= this.#maxBytes || this.#waiters.length > 0;
  }

  /** `relieve` is called whenever somebody waits, to send dirty data on its way. */
  onPressure(relieve: () => void): void {
    this.#relieve = relieve;
  }

  take(bytes: number): void {
    this.#usedBytes += bytes;
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes;
    invariant(this.#usedBytes >= 0, "no more is given back than was taken", { bytes });
    while (this.#usedBytes < this.#maxBytes) {
      const next = this.#waiters.shift();
      if (next === undefined) return;
      this.#usedBytes += next.bytes;
      next.wake();
    }
    this.press();
  }

  /** Data that was to leave could not: those who wait for its memory must not wait in vain. */
  press(): void {
    if (this.#waiters.length > 0) this.#relieve();
  }

  /** Waits for room and takes `bytes`, which the caller gives back when its own takes are done. */
  async reserve(bytes: number): Promise<void> {
    if (!this.full) {
      this.#usedBytes += bytes;
      return;
    }
    const granted = new Promise<void>((resolve) => {
      this.#waiters.push({ bytes, wake: resolve });
    });
    this.press();
    await granted;
  }
}
