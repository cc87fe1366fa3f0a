// What a node may call secure: bytes that it has received, or read and compared with their
// checksums, in this start, and that are on disk since. Anything else is looked at first.
import type { CellSeal } from "../../codec/cell-seal.ts";
import { FsError, isFsError } from "../../domain/errno.ts";
import { CELL_BYTES } from "../../domain/format.ts";
import { formatShardId, type ShardId } from "../../domain/ids.ts";
import { nextTurn, type Clock } from "../../platform/clock.ts";
import { checkSignal } from "../../protocol/shard/shard-exchange.ts";
import type { SecureDepth, ShardVerdict } from "../../protocol/shard/shard-service.ts";
import type { ShardCustody } from "./shard-custody.ts";
import type { ShardFlusher } from "./shard-flusher.ts";
import type { ShardIndex } from "./shard-index.ts";
import type { ShardReading } from "./shard-reading.ts";
import type { ShardRecord } from "./shard-record.ts";

/** Records looked at in a turn of the event loop: a millisecond. */
const WALK_TURN_SHARDS = 128;
/** Read at a time when a shard is verified. */
const VERIFY_RUN_BYTES = 4 * CELL_BYTES;

/** A moment in the life of a store. */
export interface Acknowledged {
  /** Monotonic: no file that was written by then is younger. */
  readonly untilMs: number;
  /** Of the last shard that the index had. */
  readonly sequence: number;
}

export interface SecuringParts {
  readonly index: ShardIndex;
  readonly custody: ShardCustody;
  readonly flusher: ShardFlusher;
  readonly clock: Pick<Clock, "soon">;
  /** @throws FsError EIO before the node has joined a cluster */
  readonly seal: () => CellSeal;
  /** Opens the whole shard. @throws FsError ENOENT */
  readonly read: (id: ShardId) => ShardReading;
}

export class ShardSecuring {
  readonly #parts: SecuringParts;

  constructor(parts: SecuringParts) {
    this.#parts = parts;
  }

  async secure(
    ids: readonly ShardId[],
    depth: SecureDepth,
    signal: AbortSignal | undefined,
  ): Promise<ShardVerdict[]> {
    const { index, custody, flusher } = this.#parts;
    const looked: (ShardRecord | ShardVerdict)[] = [];
    for (const id of ids) looked.push(await this.#look(id, depth, signal));
    const there = ids.filter((_, at) => typeof looked[at] === "object");
    const condemned = await flusher.flush(there);
    let newest = 0;
    for (const record of looked) {
      if (typeof record === "object") newest = Math.max(newest, index.sequenceOf(record));
    }
    await index.flush(newest);
    return ids.map((id, at) => {
      const record = looked[at] ?? "missing";
      if (typeof record === "string") return record;
      if (condemned.has(formatShardId(id))) return "spoilt";
      if (!custody.isStill(id, record)) return "missing";
      if (record.start !== index.start && !this.#believes(id, record, depth)) {
        custody.secured(id, record);
      }
      return "secure";
    });
  }

  /**
   * Brings to disk what had been acknowledged, and keeps in mind that it is there.
   * @throws FsError EIO: some of it can't be; the rest is
   */
  async flush({ untilMs, sequence }: Acknowledged): Promise<void> {
    const { index, flusher } = this.#parts;
    try {
      await flusher.flushUntil(untilMs);
    } finally {
      await index.flush(sequence);
    }
    await index.keepFlushed(sequence);
  }

  /**
   * Secures what earlier starts may not have brought to disk, unless that was done before; brings
   * how many shards were not what they should be. While some can't be looked at none is settled.
   */
  async secureEarlier(
    onUnclear: (error: FsError) => void,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const { index, clock } = this.#parts;
    if (index.areEarlierFlushed) return 0;
    let [looked, lost, unclear] = [0, 0, 0];
    for (let id = index.next(undefined); id !== undefined; id = index.next(id)) {
      const record = index.get(id);
      if (record !== undefined && record.start !== index.start && !index.wasFlushed(record)) {
        try {
          const [verdict] = await this.secure([id], "unflushed", signal);
          if (verdict !== "secure") lost++;
        } catch (error) {
          if (signal?.aborted === true || !(error instanceof FsError)) throw error;
          onUnclear(error);
          unclear++;
        }
      }
      if (++looked % WALK_TURN_SHARDS !== 0) continue;
      checkSignal(signal);
      await nextTurn(clock);
    }
    if (unclear === 0) await index.settle(index.start - 1);
    return lost;
  }

  /** The shard's record when its bytes may be trusted, once they are on disk. */
  async #look(
    id: ShardId,
    depth: SecureDepth,
    signal: AbortSignal | undefined,
  ): Promise<ShardRecord | ShardVerdict> {
    const { index, custody, flusher, clock } = this.#parts;
    const record = index.get(id);
    if (record === undefined) return "missing";
    const isKnown = custody.isKnown(id, record);
    if (this.#believes(id, record, depth) && custody.stands(id, record)) return record;
    if (depth === "every" || !isKnown) {
      checkSignal(signal);
      const verdict = await this.#verify(id, record);
      if (verdict !== "whole") return verdict;
      // It was read at one go; others want a turn, too.
      await nextTurn(clock);
    }
    if (!isKnown && !record.packed && !index.wasFlushed(record)) flusher.mayBeUnsynced(id);
    return record;
  }

  /** True when what an earlier start has noted of the shard is enough. */
  #believes(id: ShardId, record: ShardRecord, depth: SecureDepth): boolean {
    const { index, custody } = this.#parts;
    return depth === "unflushed" && !custody.isKnown(id, record) && index.wasFlushed(record);
  }

  /** Compares all cells with their checksums; a shard that is spoilt is set aside. */
  async #verify(id: ShardId, record: ShardRecord): Promise<"whole" | ShardVerdict> {
    const { custody, read, seal } = this.#parts;
    let reading: ShardReading;
    try {
      reading = read(id);
    } catch (error) {
      if (!isFsError(error, "ENOENT")) throw error;
      await custody.discover(id, "missing", record);
      return "missing";
    }
    try {
      if (await isWhole(reading, seal())) return "whole";
      await custody.discover(id, "corrupt", reading.record);
      return "spoilt";
    } finally {
      reading.close();
    }
  }
}

async function isWhole(reading: ShardReading, seal: CellSeal): Promise<boolean> {
  const { id, lengthBytes, cellCrcs } = reading;
  const buffer = Buffer.allocUnsafe(Math.min(VERIFY_RUN_BYTES, lengthBytes));
  for (let at = 0; at < lengthBytes; at += buffer.length) {
    const run = buffer.subarray(0, Math.min(buffer.length, lengthBytes - at));
    try {
      await reading.readInto(run, at);
    } catch (error) {
      if (error instanceof FsError) return false;
      throw error;
    }
    const firstCell = at / CELL_BYTES;
    const cells = cellCrcs.subarray(firstCell, Math.ceil((at + run.length) / CELL_BYTES));
    if (seal.corruptCells(id, run, cells, firstCell).length > 0) return false;
  }
  return true;
}
