// The bytes of one file of the reference model: its size and its windows, and what both may be
// after a crash.
import { createHash } from "node:crypto";
import type { FileContent, Windows } from "./steps.ts";

interface State {
  readonly size: number;
  readonly windows: readonly Buffer[];
}

export class ModelData {
  sizeBytes = 0;
  readonly #layout: Windows;
  #windows: Buffer[];
  /** What it was before each change since it was last settled. */
  #earlier: State[] = [];

  constructor(layout: Windows) {
    this.#layout = layout;
    this.#windows = layout.bases.map(() => Buffer.alloc(layout.bytes));
  }

  write(offset: number, data: Uint8Array): void {
    if (data.length === 0) return;
    this.#remember();
    const [window, base] = this.#at(offset);
    window.set(data, offset - base);
    this.sizeBytes = Math.max(this.sizeBytes, offset + data.length);
  }

  truncate(sizeBytes: number): void {
    this.#remember();
    for (const [index, window] of this.#windows.entries()) {
      window.fill(0, Math.min(window.length, Math.max(0, sizeBytes - this.#base(index))));
    }
    this.sizeBytes = sizeBytes;
  }

  /** Zeroes in [offset, offset + length), and the file as long as that when it `grows`. */
  clear(offset: number, length: number, grows: boolean): void {
    this.#remember();
    const [window, base] = this.#at(offset);
    window.fill(0, offset - base, offset - base + length);
    if (grows) this.extend(offset + length);
  }

  extend(sizeBytes: number): void {
    this.#remember();
    this.sizeBytes = Math.max(this.sizeBytes, sizeBytes);
  }

  /** What a read gives: it ends with the file. */
  read(offset: number, length: number): Buffer {
    const [window, base] = this.#at(offset);
    const end = Math.max(offset, Math.min(offset + length, this.sizeBytes));
    return Buffer.from(window.subarray(offset - base, end - base));
  }

  hashes(): string[] {
    const { bases, bytes } = this.#layout;
    return bases.map((base) => hashOf(this.read(base, bytes)));
  }

  /** All of it survives a crash from now on. */
  settle(): void {
    this.#earlier = [];
  }

  get settled(): boolean {
    return this.#earlier.length === 0;
  }

  /** Takes over what a crash left; returns what can't be there. */
  adopt(found: FileContent): string[] {
    const states = [...this.#earlier, { size: this.sizeBytes, windows: this.#windows }];
    const wrong: string[] = [];
    // A write across the end of a chunk may have got as far as that.
    const sizes = states.map(({ size }) => size);
    if (found.size < Math.min(...sizes) || found.size > Math.max(...sizes)) {
      wrong.push(`size ${found.size}`);
    }
    const windows = found.windows.map((text, index) => {
      const bytes = Buffer.alloc(this.#layout.bytes);
      bytes.write(text, "latin1");
      for (const [at, byte] of bytes.entries()) {
        if (states.some((state) => state.windows[index]?.[at] === byte)) continue;
        wrong.push(`byte ${byte} at ${this.#base(index) + at}`);
      }
      return bytes;
    });
    this.#windows = windows;
    this.sizeBytes = found.size;
    this.settle();
    return wrong;
  }

  #remember(): void {
    const windows = this.#windows.map((window) => Buffer.from(window));
    this.#earlier.push({ size: this.sizeBytes, windows });
  }

  #base(index: number): number {
    return this.#layout.bases[index] ?? 0;
  }

  #at(offset: number): [window: Buffer, base: number] {
    const { bases, bytes } = this.#layout;
    const index = bases.findLastIndex((base) => base <= offset);
    const window = this.#windows[index];
    if (window === undefined || offset > this.#base(index) + bytes) {
      throw new RangeError(`${offset} is in no window`);
    }
    return [window, this.#base(index)];
  }
}

export function hashOf(bytes: Uint8Array): string {
  return createHash("sha1").update(bytes).digest("hex");
}
