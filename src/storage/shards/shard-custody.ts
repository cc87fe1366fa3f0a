// Index, files and flusher of a node kept in step: what is added to one or taken from it, is added
// to or taken from the others in an order that no crash turns into a lost or a wrong shard.
import { FsError } from "../../domain/errno.ts";
import { formatShardId, type ShardId } from "../../domain/ids.ts";
import { checkSignal } from "../../protocol/shard/shard-exchange.ts";
import type { Clock } from "../../platform/clock.ts";
import { BoundedMap } from "../../platform/flow/bounded-map.ts";
import { KeyedTurns } from "../../platform/flow/turns.ts";
import { MAX_SECURED_REMEMBERED } from "./limits.ts";
import type { ShardFiles } from "./shard-files.ts";
import type { ShardFlusher } from "./shard-flusher.ts";
import type { ShardIndex } from "./shard-index.ts";
import type { Damage, ShardFacts, ShardRecord } from "./shard-record.ts";
import type { ParkedShard } from "./shard-trash.ts";
import type { ReceivedShard, ShardReception } from "./shard-reception.ts";

/** What names a record of a shard among all that there were. */
type Reception = Pick<ShardRecord, "start" | "sequence">;

export class ShardCustody {
  readonly #index: ShardIndex;
  readonly #files: ShardFiles;
  readonly #flusher: ShardFlusher;
  readonly #clock: Clock;
  readonly #onDamage: (id: ShardId, kind: Damage) => void;
  /** Records of earlier starts that this one has found whole and brought to disk. */
  readonly #secured = new BoundedMap<string, Reception>(MAX_SECURED_REMEMBERED);
  /** Changes to one shard happen one after the other. */
  readonly #turns = new KeyedTurns<string>();

  constructor(
    parts: { index: ShardIndex; files: ShardFiles; flusher: ShardFlusher; clock: Clock },
    onDamage: (id: ShardId, kind: Damage) => void,
  ) {
    this.#index = parts.index;
    this.#files = parts.files;
    this.#flusher = parts.flusher;
    this.#clock = parts.clock;
    this.#onDamage = onDamage;
    this.#index.whenSpoilt((id) => {
      // It is met, and tried, again.
      this.#dropSpoilt(id).catch(() => undefined);
    });
  }

  /**
   * Gives a shard that has arrived whole its place; false when it stood there already.
   * @throws FsError EEXIST other bytes stand under the id; ENOSPC; EIO
   */
  keep(reception: ShardReception, received: ReceivedShard): Promise<boolean> {
    return this.#turns.run(formatShardId(reception.id), () => this.#keep(reception, received));
  }

  async #keep(reception: ShardReception, received: ReceivedShard): Promise<boolean> {
    const { id, sizeBytes } = reception;
    const { cellCrcs, packedBytes } = received;
    if (this.holds(id, sizeBytes, cellCrcs)) return false;
    const packed = packedBytes !== undefined;
    const facts: ShardFacts = { sizeBytes, cellCrcs, packed };
    if (!packed) {
      reception.accept();
      this.#flusher.written(id);
    }
    if (this.#index.get(id) !== undefined) {
      // The same bytes as they should be, in the place of what may have become of them: whatever
      // ends this half-way, the entry is right.
      await this.#index.replace(id, facts, packedBytes);
      return true;
    }
    try {
      await this.#index.insert(id, facts, packedBytes);
    } catch (error) {
      // One in the trash lives on in the file: it is the same shard.
      if (!packed && this.#index.trash.get(id) === undefined) {
        this.#flusher.forget(id);
        await this.#files.remove(id);
      }
      throw error;
    }
    return true;
  }

  /**
   * True when this very shard is known to stand whole; false when there is none, its file is
   * damaged, or it is of an earlier start and nobody has looked at it in this one.
   * @throws FsError EEXIST other bytes stand under the id
   */
  holds(id: ShardId, sizeBytes: number, cellCrcs: Uint32Array): boolean {
    const record = this.#index.get(id);
    if (record === undefined) return false;
    const same =
      record.sizeBytes === sizeBytes &&
      record.cellCrcs.every((crc, cell) => crc === cellCrcs[cell]);
    if (!same) throw new FsError("EEXIST", `other bytes stand under ${formatShardId(id)}`);
    return this.isKnown(id, record) && this.stands(id, record);
  }

  /** True when this start has received the shard, or found it whole and brought it to disk. */
  isKnown(id: ShardId, record: ShardRecord): boolean {
    if (record.start === this.#index.start) return true;
    const secured = this.#secured.get(formatShardId(id));
    return secured !== undefined && isSame(secured, record);
  }

  /** This record of an earlier start was found whole, and is on disk. */
  secured(id: ShardId, { start, sequence }: ShardRecord): void {
    this.#secured.set(formatShardId(id), { start, sequence });
  }

  /** True when the shard's record is still this very one. */
  isStill(id: ShardId, record: ShardRecord): boolean {
    const now = this.#index.get(id);
    return now !== undefined && isSame(now, record);
  }

  /** False when the shard's file is gone or of another size. */
  stands(id: ShardId, record: ShardRecord): boolean {
    return record.packed || this.#files.stands(id, record.sizeBytes);
  }

  /** @throws FsError ENOENT */
  record(id: ShardId): ShardRecord {
    const record = this.#index.get(id);
    if (record === undefined) throw new FsError("ENOENT", `no shard ${formatShardId(id)} here`);
    return record;
  }

  /** An unknown shard is no error; one in the trash goes for good. */
  delete(id: ShardId): Promise<void> {
    return this.#turns.run(formatShardId(id), async () => {
      const record = this.#index.get(id);
      if (record === undefined) {
        const parked = this.#index.trash.get(id);
        if (parked !== undefined) await this.#purge(parked);
        return;
      }
      this.#flusher.forget(id);
      await this.#index.remove(id, record);
      if (!record.packed) await this.#files.remove(id);
    });
  }

  /** Moves a shard to the trash, at `atMs` of the node's age. An unknown one is no error. */
  park(id: ShardId, atMs: number): Promise<void> {
    return this.#turns.run(formatShardId(id), async () => {
      const record = this.#index.get(id);
      if (record !== undefined) await this.#index.park(id, record, atMs);
    });
  }

  /** Takes a shard out of the trash again; false when there is none, in it or among the others. */
  unpark(id: ShardId): Promise<boolean> {
    return this.#turns.run(formatShardId(id), async () => {
      if (this.#index.get(id) !== undefined) return true;
      const parked = this.#index.trash.get(id);
      if (parked?.record === undefined) return false;
      await this.#index.unpark({ ...parked, record: parked.record });
      return true;
    });
  }

  /** Removes a shard that was met in the trash for good; false when it has left it meanwhile. */
  purge(parked: ParkedShard): Promise<boolean> {
    return this.#turns.run(formatShardId(parked.id), async () => {
      if (!this.#index.trash.has(parked)) return false;
      await this.#purge(parked);
      return true;
    });
  }

  async #purge(parked: ParkedShard): Promise<void> {
    await this.#index.purge(parked);
    if (this.#index.get(parked.id) !== undefined) return;
    this.#flusher.forget(parked.id);
    await this.#files.remove(parked.id);
  }

  /** Sets a shard aside whose record was `seen` when it was found damaged, if it is still so. */
  async discover(id: ShardId, kind: Damage, seen: ShardRecord): Promise<void> {
    await this.#turns.run(formatShardId(id), async () => {
      const record = this.#index.get(id);
      if (record === undefined || !isSame(record, seen)) return;
      if (kind === "missing" && this.stands(id, record)) return;
      await this.#remove(id, record, kind);
    });
  }

  /**
   * Sets a shard aside, whatever its record and even in the trash, if `isCurrent` says so when its
   * turn has come.
   */
  async condemn(id: ShardId, kind: Damage, isCurrent: () => boolean): Promise<void> {
    await this.#turns.run(formatShardId(id), async () => {
      if (!isCurrent()) return;
      const record = this.#index.get(id);
      if (record !== undefined) return this.#remove(id, record, kind);
      // Out of the trash nobody would know that the disk has lost it.
      const parked = this.#index.trash.get(id);
      if (parked !== undefined) await this.#purge(parked);
    });
  }

  /** Takes leave of a shard whose index entry is spoilt. */
  async #dropSpoilt(id: ShardId): Promise<void> {
    await this.#turns.run(formatShardId(id), async () => {
      if (!(await this.#index.removeSpoilt(id))) return;
      this.#flusher.forget(id);
      await this.#files.quarantine(id, undefined, this.#clock.nowMs());
      this.#onDamage(id, "corrupt");
    });
  }

  async #remove(id: ShardId, record: ShardRecord, kind: Damage): Promise<void> {
    this.#flusher.forget(id);
    const packedBytes = record.packed ? this.#index.getPacked(id) : undefined;
    await this.#index.remove(id, record);
    if (kind === "corrupt") await this.#files.quarantine(id, packedBytes, this.#clock.nowMs());
    this.#onDamage(id, kind);
  }

  /**
   * Removes files that stood without an index entry before `beforeMs` (wall clock): a shard that
   * was kept has one, so a crash left them. Returns how many.
   */
  async sweepLeftovers(beforeMs: number, signal?: AbortSignal): Promise<number> {
    let removed = 0;
    for (const { pool, pg } of await this.#files.groups()) {
      checkSignal(signal);
      for (const id of await this.#files.olderFiles(pool, pg, beforeMs)) {
        removed += await this.#turns.run(formatShardId(id), async () => {
          const isKept = this.#index.get(id) ?? this.#index.trash.get(id);
          if (isKept !== undefined) return 0;
          await this.#files.remove(id);
          return 1;
        });
      }
    }
    return removed;
  }
}

function isSame(one: Reception, other: Reception): boolean {
  return one.start === other.start && one.sequence === other.sequence;
}
