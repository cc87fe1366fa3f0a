// The trash of a node: shards that were condemned by inference, kept for a while in case the
// inference was wrong. They give way to others when space gets short, the oldest first.
import type { ShardId } from "../../domain/ids.ts";
import type { Clock } from "../../platform/clock.ts";
import { MAX_BATCH_SHARDS } from "../../protocol/shard/limits.ts";
import { checkSignal } from "../../protocol/shard/shard-exchange.ts";
import type { DiskSpace } from "../disk/disk-space.ts";
import type { ShardCustody } from "./shard-custody.ts";
import type { ShardIndex } from "./shard-index.ts";

export interface TrashParts {
  readonly index: ShardIndex;
  readonly custody: ShardCustody;
  readonly space: DiskSpace;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly keepMs: number;
}

/** Name of the node's age among the index's state. */
const AGE = "age";

export class TrashKeeper {
  readonly #parts: TrashParts;
  /** The node's age at monotonic 0. */
  readonly #bornMs: number;
  #emptying: Promise<number> | undefined;

  constructor(parts: TrashParts) {
    this.#parts = parts;
    const { index, clock } = parts;
    const ageMs = index.getState(AGE)?.readUIntLE(0, 6) ?? 0;
    this.#bornMs = Math.max(ageMs, index.trash.newestMs) - clock.monotonicMs();
  }

  async park(ids: readonly ShardId[], signal: AbortSignal | undefined): Promise<void> {
    const atMs = this.#ageMs();
    for (let at = 0; at < ids.length; at += MAX_BATCH_SHARDS) {
      checkSignal(signal);
      const batch = ids.slice(at, at + MAX_BATCH_SHARDS);
      await Promise.all(batch.map((id) => this.#parts.custody.park(id, atMs)));
    }
  }

  async unpark(ids: readonly ShardId[], signal: AbortSignal | undefined): Promise<boolean[]> {
    const { custody, index } = this.#parts;
    const stand: boolean[] = [];
    for (let at = 0; at < ids.length; at += MAX_BATCH_SHARDS) {
      checkSignal(signal);
      const batch = ids.slice(at, at + MAX_BATCH_SHARDS);
      stand.push(...(await Promise.all(batch.map((id) => custody.unpark(id)))));
      // Else a power cut puts them back into the trash, which goes on being emptied.
      await index.flush(index.committed);
    }
    return stand;
  }

  /** Removes what has been here long enough, or has to give way; resolves to how much. */
  empty(): Promise<number> {
    this.#emptying ??= this.#empty().finally(() => {
      this.#emptying = undefined;
    });
    return this.#emptying;
  }

  /** Lets the trash give way, if it must. */
  makeRoom(): void {
    // It is tried again with the next shard that comes.
    if (this.#parts.index.trash.shards > 0 && this.#isShort()) this.empty().catch(() => undefined);
  }

  async #empty(): Promise<number> {
    const { index, custody, space, keepMs } = this.#parts;
    let removed = 0;
    for (let next = index.trash.oldest; next !== undefined; next = index.trash.oldest) {
      const isDue = next.atMs + keepMs <= this.#ageMs();
      if (!isDue && !this.#isShort()) {
        await this.#keepAge();
        break;
      }
      // One that is gone meanwhile is the oldest no more.
      if (!(await custody.purge(next))) continue;
      space.freed(next.sizeBytes);
      removed++;
    }
    return removed;
  }

  #isShort(): boolean {
    const { index, space } = this.#parts;
    return space.isShort(index.usedBytes, index.trash.usedBytes);
  }

  /**
   * How long the node has run in all its starts, at the least: no step of the wall clock and no
   * time that the machine was off makes shards in the trash older.
   */
  #ageMs(): number {
    return Math.floor(this.#bornMs + this.#parts.clock.monotonicMs());
  }

  async #keepAge(): Promise<void> {
    const age = Buffer.alloc(6);
    age.writeUIntLE(this.#ageMs(), 0, 6);
    await this.#parts.index.putState(AGE, age);
  }
}
