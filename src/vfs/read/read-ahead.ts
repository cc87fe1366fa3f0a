// Whether a handle is being read in order, and how far ahead of it to fetch. The kernel's own
// read-ahead arrives as several requests at once, slightly out of order: that still counts as in
// order.
import { MAX_READ_AHEAD_BLOCKS } from "./limits.ts";

/** How far from the expected place a read may be, at least and in multiples of its size. */
const MIN_TOLERANCE_BYTES = 128 * 1024;
const TOLERANCE_READS = 4;

export class ReadAhead {
  readonly #blockBytes: number;
  /** Where the next read is expected. */
  #next = 0;
  /** Reads in a row that came near there. */
  #streak = 0;
  #windowBlocks = 0;
  #issuedTo = 0;

  constructor(blockBytes: number) {
    this.#blockBytes = blockBytes;
  }

  /** Notes a read; true when whole blocks are worth fetching. */
  note(offset: number, sizeBytes: number): boolean {
    const tolerance = Math.max(MIN_TOLERANCE_BYTES, sizeBytes * TOLERANCE_READS);
    const end = offset + sizeBytes;
    if (Math.abs(offset - this.#next) <= tolerance) {
      this.#streak += 1;
      this.#next = Math.max(this.#next, end);
      return true;
    }
    this.#streak = 0;
    this.#next = end;
    this.#windowBlocks = 0;
    this.#issuedTo = 0;
    return false;
  }

  /**
   * The range of the file to fetch ahead now, undefined when what was asked for still suffices.
   * The window doubles each time the reader has come near its end.
   */
  due(fileBytes: number): { from: number; to: number } | undefined {
    if (this.#streak < 2) return undefined;
    const wanted = this.#next + Math.max(1, this.#windowBlocks) * this.#blockBytes;
    if (wanted <= this.#issuedTo || this.#issuedTo >= fileBytes) return undefined;
    this.#windowBlocks = Math.min(MAX_READ_AHEAD_BLOCKS, Math.max(1, this.#windowBlocks * 2));
    const to = Math.min(fileBytes, this.#next + this.#windowBlocks * this.#blockBytes);
    return { from: Math.max(this.#issuedTo, this.#next), to };
  }

  /** Everything before `offset` has been asked for. */
  issued(offset: number): void {
    this.#issuedTo = Math.max(this.#issuedTo, offset);
  }
}
