// Packing: inline bytes that have stayed for a while move from the metadata into shared slices of
// up to a block. Shared slices that are mostly dead are packed anew, so that at most half of them
// is waste.
import type { BlockStore } from "../stripes/block-store.ts";
import type { PoolId, SliceId } from "../domain/ids.ts";
import { BLOCK_BYTES } from "../domain/format.ts";
import {
  MAX_PACK_MEMBERS,
  MAX_PACKS_WATCHED,
  PACK_AFTER_MS,
  PACK_INTERVAL_MS,
  PACK_MIN_BYTES,
  PACK_MIN_SLICE_BYTES,
  PACK_MIN_WASTE_BYTES,
} from "./limits.ts";
import type { Clock } from "../platform/clock.ts";
import type { DataLedger, SmallSlice } from "./data-ledger.ts";
import { paceAfter, type Job, type JobCounts, type PassOutcome } from "./job.ts";
import { readPieces } from "./read-pieces.ts";
import { SliceWriter } from "./slice-writer.ts";

export interface PackingOptions {
  ledger: DataLedger;
  blocks: Pick<BlockStore, "readBlock" | "putBlock" | "syncBlocks">;
  clock: Clock;
  intervalMs?: number;
  /** Inline bytes stay where they are for so long: much of what is small is short-lived. */
  afterMs?: number;
  /** So much is gathered before a shared slice is made. */
  minBytes?: number;
}

/** Members of the next shared slice. */
class Batch {
  readonly members: SmallSlice[] = [];
  pool: PoolId | undefined;
  bytes = 0;
  /** What becomes free on the nodes. */
  wasteBytes = 0;
}

/** How much of a shared slice is still cited, as far as a walk has come. */
interface Pack {
  storedBytes: number;
  liveBytes: number;
}

export class PackingJob implements Job {
  readonly name = "packing";
  readonly intervalMs: number;
  readonly #options: Required<PackingOptions>;
  readonly #writer: SliceWriter;
  /** When every slice with a lower id than `below` had been issued. */
  #marks: { below: SliceId; atMs: number }[] = [];
  /** The walk under way: where it is, how far it goes. */
  #walk: { next: SliceId | undefined; below: SliceId } | undefined;
  #batch = new Batch();
  #packs = new Map<SliceId, Pack>();
  /** Shared slices that the last walk found mostly dead: how much of them is. */
  #sparse = new Map<SliceId, number>();
  #seen = 0;
  #waiting = 0;
  #packed = 0;
  #bytes = 0;

  constructor(options: PackingOptions) {
    this.#options = {
      intervalMs: PACK_INTERVAL_MS,
      afterMs: PACK_AFTER_MS,
      minBytes: PACK_MIN_BYTES,
      ...options,
    };
    this.#writer = new SliceWriter(options.ledger, options.blocks);
    this.intervalMs = this.#options.intervalMs;
  }

  counts(): JobCounts {
    return { waiting: this.#waiting, done: this.#packed, doneBytes: this.#bytes };
  }

  async pass(signal: AbortSignal): Promise<PassOutcome> {
    const { ledger, clock } = this.#options;
    const beganMs = clock.monotonicMs();
    this.#walk ??= await this.#beginWalk(beganMs);
    if (this.#walk === undefined) return "done";
    const walk = this.#walk;
    const room = BLOCK_BYTES - this.#batch.bytes;
    const page = await ledger.smallSlices(walk.next, room);
    for (const slice of page.found) if (slice.slice < walk.below) this.#consider(slice);
    const full = page.found.length === 0 && page.next === walk.next;
    walk.next = page.next;
    const ends = page.next === undefined || page.next >= walk.below;
    try {
      const many = this.#batch.members.length >= MAX_PACK_MEMBERS;
      if (full || ends || many) await this.#pack(signal);
    } finally {
      if (ends) this.#endWalk();
    }
    return ends ? "done" : paceAfter(clock.monotonicMs() - beganMs);
  }

  async #beginWalk(nowMs: number): Promise<{ next: undefined; below: SliceId } | undefined> {
    const { ledger, afterMs } = this.#options;
    this.#marks.push({ below: await ledger.issuedBelow(), atMs: nowMs });
    const old = this.#marks.filter(({ atMs }) => nowMs - atMs >= afterMs);
    const newest = old.at(-1);
    // One that is old enough suffices.
    if (newest !== undefined) this.#marks = this.#marks.slice(old.length - 1);
    return newest === undefined ? undefined : { next: undefined, below: newest.below };
  }

  #consider(slice: SmallSlice): void {
    const { location, lengthBytes, pool } = slice;
    if (location === undefined && lengthBytes < PACK_MIN_SLICE_BYTES) return;
    if (location !== undefined) {
      this.#countPacked(location.id, location.storedBytes, lengthBytes);
      if (!this.#sparse.has(location.id)) return;
    }
    const batch = this.#batch;
    this.#seen += 1;
    batch.pool ??= pool;
    const fits = batch.pool === pool && batch.bytes + lengthBytes <= BLOCK_BYTES;
    // The next walk meets it again.
    if (!fits) return;
    batch.members.push(slice);
    batch.bytes += lengthBytes;
    if (location === undefined) return;
    batch.wasteBytes += this.#sparse.get(location.id) ?? 0;
    this.#sparse.set(location.id, 0);
  }

  #countPacked(id: SliceId, storedBytes: number, lengthBytes: number): void {
    const pack = this.#packs.get(id);
    if (pack !== undefined) pack.liveBytes += lengthBytes;
    else if (this.#packs.size < MAX_PACKS_WATCHED) {
      this.#packs.set(id, { storedBytes, liveBytes: lengthBytes });
    }
  }

  async #pack(signal: AbortSignal): Promise<void> {
    const { ledger, blocks, minBytes } = this.#options;
    const { members, pool, bytes, wasteBytes } = this.#batch;
    this.#batch = new Batch();
    if (pool === undefined || (bytes < minBytes && wasteBytes < PACK_MIN_WASTE_BYTES)) return;
    const target = Buffer.allocUnsafeSlow(bytes);
    await readPieces(blocks, members, target, signal);
    const commit = ledger.pack.bind(ledger, members);
    this.#packed += await this.#writer.store(pool, target, false, commit, signal);
    this.#bytes += bytes;
    this.#seen -= members.length;
  }

  #endWalk(): void {
    this.#walk = undefined;
    this.#waiting = this.#seen;
    this.#seen = 0;
    const sparse = [...this.#packs].filter(([, pack]) => pack.liveBytes * 2 < pack.storedBytes);
    this.#sparse = new Map(
      sparse.map(([id, { storedBytes, liveBytes }]) => [id, storedBytes - liveBytes]),
    );
    this.#packs = new Map();
  }
}
