// Scratch rows: the addon wants a row's pieces end to end, and there are only so many of them,
// which bounds how many rows are being coded at once.
import type { CodingPolicy } from "../domain/layout.ts";
import { CELL_BYTES } from "../domain/format.ts";

/** Room for one row: k data pieces and m parity pieces of up to a cell each. */
export interface ScratchRow {
  readonly data: Uint8Array;
  readonly parity: Uint8Array;
}

/** At most `count` rows, made when first needed; whoever finds none waits its turn. */
export class RowPool {
  readonly #policy: CodingPolicy;
  readonly #free: ScratchRow[] = [];
  readonly #waiting: ((row: ScratchRow) => void)[] = [];
  #unmade: number;

  constructor(policy: CodingPolicy, count: number) {
    this.#policy = policy;
    this.#unmade = count;
  }

  /** A row with whatever was in it before, at once or when one is given back. */
  take(): ScratchRow | Promise<ScratchRow> {
    const row = this.#free.pop();
    if (row !== undefined) return row;
    if (this.#unmade > 0) {
      this.#unmade--;
      const { k, m } = this.#policy;
      // One allocation a row; both parts begin on a cache line.
      const bytes = new Uint8Array((k + m) * CELL_BYTES);
      return { data: bytes.subarray(0, k * CELL_BYTES), parity: bytes.subarray(k * CELL_BYTES) };
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  give(row: ScratchRow): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(row);
    else next(row);
  }
}
