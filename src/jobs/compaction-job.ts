// Compaction: extents of a chunk that became many and small are put into one slice. It walks all
// chunks again and again, at a pace that leaves most of the time to others.
import type { BlockStore } from "../stripes/block-store.ts";
import { COMPACT_INTERVAL_MS, COMPACT_RUNS_PER_WALK } from "./limits.ts";
import type { Clock } from "../platform/clock.ts";
import { pickFragmented } from "./compaction-plan.ts";
import type { ChunkId, DataLedger } from "./data-ledger.ts";
import { paceAfter, type Job, type JobCounts, type PassOutcome } from "./job.ts";
import { readPieces } from "./read-pieces.ts";
import { SliceWriter } from "./slice-writer.ts";

export interface CompactionOptions {
  ledger: DataLedger;
  blocks: Pick<BlockStore, "readBlock" | "putBlock" | "syncBlocks">;
  clock: Clock;
  intervalMs?: number;
}

export class CompactionJob implements Job {
  readonly name = "compaction";
  readonly intervalMs: number;
  readonly #options: CompactionOptions;
  readonly #writer: SliceWriter;
  /** Fragmented chunks that the walk has met. */
  readonly #queue: { readonly chunk: ChunkId; readonly runsLeft: number }[] = [];
  /** Where the walk goes on; undefined: at the start. */
  #next: ChunkId | undefined;
  #walked = false;
  #runs = 0;
  #bytes = 0;

  constructor(options: CompactionOptions) {
    this.#options = options;
    this.#writer = new SliceWriter(options.ledger, options.blocks);
    this.intervalMs = options.intervalMs ?? COMPACT_INTERVAL_MS;
  }

  counts(): JobCounts {
    return { waiting: this.#queue.length, done: this.#runs, doneBytes: this.#bytes };
  }

  async pass(signal: AbortSignal): Promise<PassOutcome> {
    const { clock, ledger } = this.#options;
    if (!ledger.hasRoom()) return "later";
    const beganMs = clock.monotonicMs();
    const first = this.#queue.shift();
    if (first !== undefined) {
      const { chunk, runsLeft } = first;
      // Another run of the chunk may be worth it; one that couldn't be moved waits for the next
      // walk.
      const moved = await this.#compact(chunk, signal);
      if (moved && runsLeft > 1) this.#queue.push({ chunk, runsLeft: runsLeft - 1 });
    } else if (this.#walked) {
      this.#walked = false;
      return "done";
    } else {
      await this.#walk();
    }
    return paceAfter(clock.monotonicMs() - beganMs);
  }

  async #walk(): Promise<void> {
    const page = await this.#options.ledger.fragmentedChunks(this.#next, pickFragmented);
    this.#queue.push(...page.found.map((chunk) => ({ chunk, runsLeft: COMPACT_RUNS_PER_WALK })));
    this.#next = page.next;
    this.#walked = page.next === undefined;
  }

  /** @returns false when nothing was, or could be, done */
  async #compact(chunk: ChunkId, signal: AbortSignal): Promise<boolean> {
    const { ledger, blocks } = this.#options;
    const run = await ledger.readRun(chunk, pickFragmented);
    if (run === undefined) return false;
    const bytes = Buffer.allocUnsafeSlow(run.extents.reduce((sum, e) => sum + e.lengthBytes, 0));
    await readPieces(blocks, run.extents, bytes, signal);
    const commit = ledger.replaceRun.bind(ledger, run);
    const moved = await this.#writer.store(run.pool, bytes, true, commit, signal);
    if (moved === 0) return false;
    this.#runs += 1;
    this.#bytes += moved;
    return true;
  }
}
