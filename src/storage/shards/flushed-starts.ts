// How far the starts of a node had brought their shards to disk: what a later start may take to
// have been there whatever ended the earlier one, and what it has to look at.
import { MAX_FLUSHED_STARTS } from "./limits.ts";

/** Stored, little-endian: settled u32, then start u32, sequence u48 of each. */
const HEAD_BYTES = 4;
const ENTRY_BYTES = 10;

export class FlushedStarts {
  /** Of all starts up to this one everything is on disk. */
  #settled = 0;
  /** By start, oldest first, the last sequence that is on disk with all before it. */
  readonly #through = new Map<number, number>();

  static decode(stored: Buffer | undefined): FlushedStarts {
    const starts = new FlushedStarts();
    if (stored === undefined || stored.length < HEAD_BYTES) return starts;
    starts.#settled = stored.readUInt32LE(0);
    for (let at = HEAD_BYTES; at + ENTRY_BYTES <= stored.length; at += ENTRY_BYTES) {
      starts.#through.set(stored.readUInt32LE(at), stored.readUIntLE(at + 4, 6));
    }
    return starts;
  }

  encode(): Buffer {
    const value = Buffer.alloc(HEAD_BYTES + this.#through.size * ENTRY_BYTES);
    value.writeUInt32LE(this.#settled, 0);
    let at = HEAD_BYTES;
    for (const [start, sequence] of this.#through) {
      value.writeUInt32LE(start, at);
      value.writeUIntLE(sequence, at + 4, 6);
      at += ENTRY_BYTES;
    }
    return value;
  }

  /** False when that much was known. */
  advance(start: number, sequence: number): boolean {
    if (this.covers(start, sequence)) return false;
    this.#through.set(start, sequence);
    if (this.#through.size <= MAX_FLUSHED_STARTS) return true;
    const [oldest] = this.#through.keys();
    if (oldest !== undefined) this.#through.delete(oldest);
    return true;
  }

  /** All shards of the starts up to `start` are on disk. */
  settle(start: number): void {
    this.#settled = Math.max(this.#settled, start);
    for (const old of this.#through.keys()) if (old <= start) this.#through.delete(old);
  }

  isSettled(start: number): boolean {
    return start <= this.#settled;
  }

  /** False also of a start so long ago that it was forgotten before it was settled. */
  covers(start: number, sequence: number): boolean {
    return this.isSettled(start) || sequence <= (this.#through.get(start) ?? 0);
  }
}
