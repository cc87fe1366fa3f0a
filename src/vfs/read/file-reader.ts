// The read side of one inode: dirty data over committed extents over holes, at once where memory
// has it.
import { isFsError } from "../../domain/errno.ts";
import type { Ino } from "../../domain/ids.ts";
import { CHUNK_BYTES } from "../../domain/format.ts";
import type { DirtySlices } from "../write/dirty-slices.ts";
import type { CacheEntry } from "./fetch-cache.ts";
import type { InodeBeliefs } from "../coherence/inode-beliefs.ts";
import type { IntervalMap } from "../coherence/interval-map.ts";
import type { Clock } from "../../platform/clock.ts";
import { ReadAhead } from "./read-ahead.ts";
import { ReadPlan } from "./read-plan.ts";
import { blockAt } from "../geometry.ts";
import { type ReadResources, SegmentReader, worthWhole } from "./segment-reader.ts";
import type { MaybePromise } from "../vfs.ts";

/** Blocks that one read may ask for ahead: many small ones lie where one big one would. */
const MAX_PREFETCHES_PER_READ = 16;

/** What the readers of a mount share. */
export interface ReaderServices extends ReadResources {
  readonly clock: Clock;
  /** What holes are read from; never written to. */
  readonly zeros: Uint8Array;
}

/** The file as its reader needs it. */
export interface ReaderOwner {
  readonly ino: Ino;
  /** Length with dirty data. */
  readonly sizeBytes: number;
  readonly beliefs: InodeBeliefs;
  readonly slices: DirtySlices;
}

/** What a handle remembers of its reads. */
export class ReadCursor {
  readonly ahead: ReadAhead;
  #lent: readonly CacheEntry[] = [];

  constructor(blockBytes: number) {
    this.ahead = new ReadAhead(blockBytes);
  }

  /** Views of these entries are in the caller's hands; those of the read before no more. */
  lend(entries: readonly CacheEntry[]): void {
    for (const entry of entries) entry.lenders += 1;
    for (const entry of this.#lent) entry.lenders -= 1;
    this.#lent = entries;
  }
}

interface ReadRequest {
  cursor: ReadCursor;
  offset: number;
  sizeBytes: number;
  sequential: boolean;
  /** Chunks whose extents this read has fetched itself. */
  fetched: Set<number> | undefined;
}

export class FileReader {
  readonly #services: ReaderServices;
  readonly #owner: ReaderOwner;

  constructor(services: ReaderServices, owner: ReaderOwner) {
    this.#services = services;
    this.#owner = owner;
  }

  /** @throws FsError EIO when the bytes can't be had */
  read(cursor: ReadCursor, offset: number, sizeBytes: number): MaybePromise<readonly Uint8Array[]> {
    const sequential = cursor.ahead.note(offset, sizeBytes);
    const request = { cursor, offset, sizeBytes, sequential, fetched: undefined };
    const nowMs = this.#services.clock.monotonicMs();
    if (!this.#owner.beliefs.freshAt(nowMs)) return this.#readSlowly(request, true);
    const plan = new ReadPlan(this.#services.zeros);
    const missing = this.#plan(request, plan, nowMs);
    if (missing !== undefined) return this.#readSlowly(request, false);
    this.#readAhead(cursor, nowMs);
    if (!plan.complete) return this.#finish(request, plan);
    cursor.lend(plan.entries);
    return plan.pieces();
  }

  async #readSlowly(request: ReadRequest, refresh: boolean): Promise<readonly Uint8Array[]> {
    if (refresh) await this.#owner.beliefs.refresh();
    for (;;) {
      const nowMs = this.#services.clock.monotonicMs();
      const plan = new ReadPlan(this.#services.zeros);
      const missing = this.#plan(request, plan, nowMs);
      if (missing === undefined) {
        this.#readAhead(request.cursor, nowMs);
        return this.#finish(request, plan);
      }
      await this.#owner.beliefs.fetchExtents(missing, nowMs);
      request.fetched ??= new Set();
      request.fetched.add(missing);
    }
  }

  async #finish(request: ReadRequest, plan: ReadPlan): Promise<readonly Uint8Array[]> {
    let pieces: readonly Uint8Array[];
    try {
      pieces = await plan.wait();
    } catch (error) {
      // The blocks may have gone because the bytes were moved: ask anew where they are, once.
      if (!isFsError(error, "EIO") || request.fetched !== undefined) throw error;
      request.fetched = new Set();
      this.#owner.beliefs.forgetExtents();
      return this.#readSlowly(request, false);
    }
    request.cursor.lend(plan.entries);
    return pieces;
  }

  /** Fills `plan`; returns the first chunk whose extents have to be fetched before. */
  #plan(request: ReadRequest, plan: ReadPlan, nowMs: number): number | undefined {
    const { slices } = this.#owner;
    const end = Math.min(request.offset + request.sizeBytes, this.#owner.sizeBytes);
    const sink = new SegmentReader(this.#services, plan, request.sequential);
    let missing: number | undefined;
    for (let at = request.offset; at < end && missing === undefined;) {
      const chunk = Math.floor(at / CHUNK_BYTES);
      const base = chunk * CHUNK_BYTES;
      const to = Math.min(end, base + CHUNK_BYTES);
      const beneath = (from: number, upTo: number): void => {
        const map = this.#extentsOf(request, chunk, nowMs);
        if (map === undefined) missing = chunk;
        else if (missing === undefined) sink.committed(map, from, upTo);
      };
      if (slices.count === 0) beneath(at - base, to - base);
      else slices.overlay(chunk, at - base, to - base, sink, beneath);
      at = to;
    }
    return missing;
  }

  #extentsOf(request: ReadRequest, chunk: number, nowMs: number): IntervalMap | undefined {
    const { beliefs } = this.#owner;
    if (request.fetched?.has(chunk) === true) return beliefs.fetchedExtents(chunk);
    return beliefs.extentsAt(chunk, nowMs);
  }

  #readAhead(cursor: ReadCursor, nowMs: number): void {
    const range = cursor.ahead.due(this.#owner.sizeBytes);
    if (range === undefined) return;
    let at = range.from;
    try {
      for (let count = 0; at < range.to && count < MAX_PREFETCHES_PER_READ; count += 1) {
        const next = this.#prefetchAt(at, nowMs);
        if (next === undefined) break;
        at = next;
      }
    } catch (error) {
      // Corrupt extents ahead: the read that gets there tells.
      if (!isFsError(error)) throw error;
    }
    cursor.ahead.issued(at);
  }

  /** Fetches ahead what lies at `offset`; returns where to go on, undefined to stop for now. */
  #prefetchAt(offset: number, nowMs: number): number | undefined {
    const { beliefs } = this.#owner;
    const chunk = Math.floor(offset / CHUNK_BYTES);
    const base = chunk * CHUNK_BYTES;
    const map = beliefs.extentsAt(chunk, nowMs);
    if (map === undefined) {
      // The read that gets there asks again and tells the error.
      beliefs.fetchExtents(chunk, nowMs).catch(() => undefined);
      return undefined;
    }
    const interval = map.at(map.indexAfter(offset - base));
    if (interval === undefined) return base + CHUNK_BYTES;
    if (interval.start > offset - base) return base + interval.start;
    const { extent } = interval;
    if (extent.location === undefined) return base + interval.end;
    const { ref, offsetBytes } = blockAt(extent, offset - base, this.#services.geometry);
    const end = Math.min(interval.end, offset - base + ref.lengthBytes - offsetBytes);
    if (!worthWhole(ref, extent.lengthBytes)) return base + end;
    return this.#services.reader.prefetch(ref) ? base + end : undefined;
  }
}
