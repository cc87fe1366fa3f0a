// What a file must contain: its size, and its bytes within a window. Bytes before the window are
// zeroes.

export class FsxModel {
  readonly base: number;
  readonly window: Buffer;
  sizeBytes = 0;

  constructor(base: number, windowBytes: number) {
    this.base = base;
    this.window = Buffer.alloc(windowBytes);
  }

  /** End of the window in the file. */
  get limit(): number {
    return this.base + this.window.length;
  }

  write(offset: number, data: Uint8Array): void {
    this.window.set(data, offset - this.base);
    this.sizeBytes = Math.max(this.sizeBytes, offset + data.length);
  }

  truncate(sizeBytes: number): void {
    if (sizeBytes < this.sizeBytes) this.window.fill(0, Math.max(0, sizeBytes - this.base));
    this.sizeBytes = sizeBytes;
  }

  /** Zeroes in [from, to), as far as the file goes. */
  clear(from: number, to: number): void {
    this.window.fill(0, from - this.base, to - this.base);
  }

  extend(sizeBytes: number): void {
    this.sizeBytes = Math.max(this.sizeBytes, sizeBytes);
  }

  /** What a read gives: it ends with the file. */
  read(offset: number, lengthBytes: number): Buffer {
    const end = Math.max(offset, Math.min(offset + lengthBytes, this.sizeBytes));
    return this.window.subarray(offset - this.base, end - this.base);
  }

  /** True when no byte of [from, to) is anything but zero. */
  isZero(from: number, to: number): boolean {
    for (let at = from; at < to; at += 1) if (this.window[at - this.base] !== 0) return false;
    return true;
  }
}
