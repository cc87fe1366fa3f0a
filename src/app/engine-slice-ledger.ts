// The jobs' view of slices, over the metadata engine.
import type { SliceId } from "../domain/ids.ts";
import { MAX_DEAD_SLICES_WATCHED } from "../jobs/limits.ts";
import type { Clock } from "../platform/clock.ts";
import type { DeadSlice, SliceLedger, SliceState } from "../jobs/slice-ledger.ts";
import type { Engine } from "../meta/engine/engine.ts";
import { reapStep } from "../meta/namespace/reaper.ts";
import { deadSlices, forgetSlices } from "../meta/namespace/slices.ts";
import {
  abandonedRanges,
  fatesOfSlices,
  forgetAbandonedRanges,
} from "../meta/session/slice-ranges.ts";

export class EngineSliceLedger implements SliceLedger {
  readonly #engine: Engine;
  readonly #clock: Clock;
  /**
   * When a dead slice was first met; its grace runs from there. At most MAX_DEAD_SLICES_WATCHED.
   */
  #firstSeenMs = new Map<SliceId, number>();

  constructor(engine: Engine, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  async states(ids: readonly SliceId[]): Promise<SliceState[]> {
    const states = await this.#engine.read((tx) => fatesOfSlices(tx, ids));
    // What is dead will be deleted: a power cut must not bring back a session that may still commit
    // it.
    if (states.includes("dead")) await this.#engine.transact(() => undefined, { durable: true });
    return states;
  }

  async deadSlices(limit: number, graceMs: number): Promise<DeadSlice[]> {
    const dead = await this.#engine.read((tx) => deadSlices(tx, MAX_DEAD_SLICES_WATCHED));
    const nowMs = this.#clock.monotonicMs();
    const seenMs = new Map<SliceId, number>();
    for (const { slice } of dead) seenMs.set(slice, this.#firstSeenMs.get(slice) ?? nowMs);
    this.#firstSeenMs = seenMs;
    const due = dead
      .filter(({ slice }) => nowMs - (seenMs.get(slice) ?? nowMs) >= graceMs)
      .slice(0, limit);
    // A power cut must not bring back metadata that cites what is deleted now.
    if (due.length > 0) await this.#engine.flush();
    return due;
  }

  /** Dead slices that are known of. */
  get waiting(): number {
    return this.#firstSeenMs.size;
  }

  async forgetSlices(slices: readonly DeadSlice[]): Promise<void> {
    const ids = slices.map((dead) => dead.slice);
    await this.#engine.transact((tx) => forgetSlices(tx, ids));
  }

  async reap(limit: number): Promise<number> {
    return await this.#engine.transact((tx) => reapStep(tx, limit));
  }

  async abandonedRanges(): Promise<ReadonlySet<string>> {
    return await this.#engine.read(abandonedRanges);
  }

  async forgetAbandonedRanges(ranges: ReadonlySet<string>): Promise<void> {
    await this.#engine.transact((tx) => forgetAbandonedRanges(tx, ranges));
  }
}
