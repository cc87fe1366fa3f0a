// Sends dirty data on its way without being asked: what is idle or old, and the oldest files' when
// writers wait for memory.
import { WRITEBACK_IDLE_MS, WRITEBACK_MAX_AGE_MS } from "./limits.ts";
import type { Clock } from "../../platform/clock.ts";
import type { DirtyBudget } from "./dirty-budget.ts";

const CADENCE_MS = 1000;

/** A file with dirty data. */
export interface WritebackTarget {
  /** Bytes of buffers that won't leave before they are sealed. */
  readonly openBytes: number;
  /** Bytes of buffers whose data could not be written. */
  readonly failedBytes: number;
  readonly lastWriteMs: number;
  sealAll(): void;
  sealBornBefore(bornMs: number): void;
  /** Forgets data that could not be written; its error stays to be told. */
  dropFailed(): void;
}

export class Writeback {
  readonly #clock: Clock;
  readonly #budget: DirtyBudget;
  /** In the order in which they became dirty. */
  readonly #files = new Set<WritebackTarget>();
  #cancelTick: (() => void) | undefined;

  constructor(clock: Clock, budget: DirtyBudget) {
    this.#clock = clock;
    this.#budget = budget;
    budget.onPressure(() => this.#relieve());
  }

  /** No file has dirty data. */
  get isEmpty(): boolean {
    return this.#files.size === 0;
  }

  add(file: WritebackTarget): void {
    this.#files.add(file);
    this.#cancelTick ??= this.#clock.after(CADENCE_MS, () => this.#tick());
  }

  remove(file: WritebackTarget): void {
    this.#files.delete(file);
  }

  close(): void {
    this.#cancelTick?.();
    this.#files.clear();
  }

  #tick(): void {
    this.#cancelTick = undefined;
    const nowMs = this.#clock.monotonicMs();
    for (const file of [...this.#files]) {
      if (nowMs - file.lastWriteMs >= WRITEBACK_IDLE_MS) file.sealAll();
      else file.sealBornBefore(nowMs - WRITEBACK_MAX_AGE_MS);
    }
    if (this.#files.size > 0) this.#cancelTick = this.#clock.after(CADENCE_MS, () => this.#tick());
  }

  /** Somebody waits: make sure that enough memory is about to come free. */
  #relieve(): void {
    const { usedBytes, maxBytes } = this.#budget;
    let stayingBytes = 0;
    for (const file of this.#files) stayingBytes += file.openBytes + file.failedBytes;
    const leavingBytes = usedBytes - stayingBytes;
    if (leavingBytes >= maxBytes / 4) return;
    let sealedBytes = 0;
    for (const file of [...this.#files]) {
      sealedBytes += file.openBytes;
      file.sealAll();
      if (sealedBytes >= maxBytes / 2) return;
    }
    if (sealedBytes > 0 || leavingBytes > 0) return;
    for (const file of [...this.#files]) file.dropFailed();
  }
}
