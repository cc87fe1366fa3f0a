// What a file must contain, byte by byte, sparse. After a failed write a byte may have any of the
// values it was given since the last flush that succeeded.

export class FileModel {
  sizeBytes = 0;
  readonly #bytes = new Map<number, number>();
  /** Values that a byte may have besides its own, while a failure may have been met. */
  #doubts = new Map<number, Set<number>>();
  /** Sizes it has had; after a failure it may end anywhere between the least and the greatest. */
  #sizes = new Set<number>([0]);

  write(offset: number, data: Uint8Array): void {
    for (const [index, value] of data.entries()) {
      const position = offset + index;
      this.#doubt(position, this.at(position)).add(value);
      this.#bytes.set(position, value);
    }
    this.#resize(Math.max(this.sizeBytes, offset + data.length));
  }

  truncate(sizeBytes: number): void {
    for (const [position, value] of this.#bytes) {
      if (position < sizeBytes) continue;
      this.#doubt(position, value).add(0);
      this.#bytes.delete(position);
    }
    this.#resize(sizeBytes);
  }

  /** All that was written is committed: nothing is in doubt. */
  settle(): void {
    this.#doubts = new Map();
    this.#sizes = new Set([this.sizeBytes]);
  }

  at(position: number): number {
    return this.#bytes.get(position) ?? 0;
  }

  read(offset: number, length: number): Buffer {
    const bytes = Buffer.alloc(Math.max(0, Math.min(length, this.sizeBytes - offset)));
    for (let index = 0; index < bytes.length; index += 1) bytes[index] = this.at(offset + index);
    return bytes;
  }

  /**
   * After a failure was told: takes over what is there, and says what is there without a reason.
   */
  adopt(offset: number, found: Uint8Array, sizeBytes: number): string[] {
    const wrong: string[] = [];
    for (const [index, value] of found.entries()) {
      const position = offset + index;
      const allowed = this.#doubts.get(position);
      if (value !== this.at(position) && allowed?.has(value) !== true) {
        wrong.push(`byte ${position} is ${value}`);
      }
      this.#bytes.set(position, value);
    }
    if (sizeBytes < Math.min(...this.#sizes) || sizeBytes > Math.max(...this.#sizes))
      wrong.push(`size is ${sizeBytes}`);
    for (const position of this.#bytes.keys()) {
      if (position >= sizeBytes) this.#bytes.delete(position);
    }
    this.sizeBytes = sizeBytes;
    return wrong;
  }

  #resize(sizeBytes: number): void {
    this.sizeBytes = sizeBytes;
    this.#sizes.add(sizeBytes);
  }

  #doubt(position: number, value: number): Set<number> {
    const known = this.#doubts.get(position);
    if (known !== undefined) return known;
    const created = new Set([value]);
    this.#doubts.set(position, created);
    return created;
  }
}
