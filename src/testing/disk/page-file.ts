// A file's bytes as the page cache and the disk below it have them: what was written since the last
// flush is in the cache alone, and a power cut keeps of it what it likes.
import type { SeededRandom } from "../seeded-random.ts";

/** What the cache writes back at a time. */
const PAGE_BYTES = 4096;
/** What a disk writes whole or not at all. */
const SECTOR_BYTES = 512;

/** Bytes of any number; those behind `sizeBytes` are zero. */
interface Content {
  bytes: Buffer;
  sizeBytes: number;
}

export class PageFile {
  #cached: Content = { bytes: Buffer.alloc(0), sizeBytes: 0 };
  #stored: Content = { bytes: Buffer.alloc(0), sizeBytes: 0 };
  /** Pages that were written to since they were last flushed. */
  #dirty = new Set<number>();
  changedMs: number;

  constructor(nowMs: number) {
    this.changedMs = nowMs;
  }

  get sizeBytes(): number {
    return this.#cached.sizeBytes;
  }

  read(target: Uint8Array, position: number): number {
    const { bytes, sizeBytes } = this.#cached;
    const end = Math.min(position + target.length, sizeBytes);
    if (end <= position) return 0;
    target.set(bytes.subarray(position, end));
    return end - position;
  }

  readAll(): Buffer {
    return Buffer.from(this.#cached.bytes.subarray(0, this.#cached.sizeBytes));
  }

  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    makeRoom(this.#cached, end);
    this.#cached.bytes.set(bytes, position);
    this.#cached.sizeBytes = Math.max(this.#cached.sizeBytes, end);
    this.#soil(position, end);
  }

  truncate(sizeBytes: number): void {
    const before = this.#cached.sizeBytes;
    makeRoom(this.#cached, sizeBytes);
    this.#cached.bytes.fill(0, Math.min(before, sizeBytes));
    this.#cached.sizeBytes = sizeBytes;
    this.#soil(Math.min(before, sizeBytes), Math.max(before, sizeBytes));
  }

  /** Cache and disk are one afterwards, but for pages that a failed flush has given up. */
  flush(): void {
    for (const page of this.#dirty) this.#store(page, PAGE_BYTES);
    this.#dirty.clear();
    resize(this.#stored, this.#cached.sizeBytes);
  }

  /**
   * As Linux does where the disk refuses: the pages count as clean from now on, and what the cache
   * shows of them was never stored.
   */
  failFlush(): void {
    this.#dirty.clear();
  }

  /** The cache is gone. Without `random` all that was never flushed goes with it. */
  cut(random: SeededRandom | undefined): void {
    if (random !== undefined) {
      const grown = this.#cached.sizeBytes !== this.#stored.sizeBytes && random.chance(0.5);
      if (grown) resize(this.#stored, this.#cached.sizeBytes);
      for (const page of this.#dirty) this.#storeSome(page, random);
    }
    resize(this.#stored, this.#stored.sizeBytes);
    this.#cached = { ...this.#stored, bytes: Buffer.from(this.#stored.bytes) };
    this.#dirty.clear();
  }

  /** Flips bits of a byte, on the disk and in the cache. */
  spoil(position: number, mask: number): void {
    for (const { bytes, sizeBytes } of [this.#cached, this.#stored]) {
      if (position < sizeBytes) bytes.writeUInt8(bytes.readUInt8(position) ^ mask, position);
    }
  }

  /** Another file of the same bytes, all of them on its disk. */
  copy(): PageFile {
    const file = new PageFile(this.changedMs);
    const bytes = this.readAll();
    file.#cached = { bytes, sizeBytes: bytes.length };
    file.#stored = { bytes: Buffer.from(bytes), sizeBytes: bytes.length };
    return file;
  }

  /** Another file of the bytes that a power cut would leave at the least. */
  storedCopy(): PageFile {
    const file = new PageFile(this.changedMs);
    const { bytes, sizeBytes } = this.#stored;
    file.write(bytes.subarray(0, sizeBytes), 0);
    file.flush();
    return file;
  }

  #soil(from: number, end: number): void {
    const last = Math.floor((end - 1) / PAGE_BYTES);
    for (let page = Math.floor(from / PAGE_BYTES); page <= last; page++) this.#dirty.add(page);
  }

  /** Stores so many bytes of a page, from its start. */
  #store(page: number, lengthBytes: number): void {
    const from = page * PAGE_BYTES;
    const end = Math.min(from + lengthBytes, this.#cached.sizeBytes);
    makeRoom(this.#stored, end);
    if (end > from) this.#stored.bytes.set(this.#cached.bytes.subarray(from, end), from);
  }

  /** All of a page, nothing or its first sectors. */
  #storeSome(page: number, random: SeededRandom): void {
    const sectors = PAGE_BYTES / SECTOR_BYTES;
    if (random.chance(0.4)) this.#store(page, PAGE_BYTES);
    else if (random.chance(0.3)) this.#store(page, random.below(sectors) * SECTOR_BYTES);
  }
}

function makeRoom(content: Content, sizeBytes: number): void {
  if (sizeBytes <= content.bytes.length) return;
  const larger = Buffer.alloc(Math.max(sizeBytes, content.bytes.length * 2, SECTOR_BYTES));
  larger.set(content.bytes);
  content.bytes = larger;
}

function resize(content: Content, sizeBytes: number): void {
  makeRoom(content, sizeBytes);
  content.bytes.fill(0, sizeBytes);
  content.sizeBytes = sizeBytes;
}
