// The jobs' view of slices, over the metadata engine.
import type { SliceId } from "../domain/ids.ts";
import type { Clock } from "../platform/clock.ts";
import type { DeadSlice, SliceLedger, SliceState } from "../jobs/slice-ledger.ts";
import type { Engine } from "../meta/engine/engine.ts";
import type { Namespace } from "../meta/namespace/namespace.ts";
import {
  abandonedRanges,
  fatesOfSlices,
  forgetAbandonedRanges,
} from "../meta/session/slice-ranges.ts";

/** Dead slices looked at in one step; those within their grace wait. */
const DEAD_SLICES_WATCHED = 1024;

export class EngineSliceLedger implements SliceLedger {
  readonly #engine: Engine;
  readonly #namespace: Namespace;
  readonly #clock: Clock;
  /** When a dead slice was first met; its grace runs from there. At most DEAD_SLICES_WATCHED. */
  #firstSeenMs = new Map<SliceId, number>();

  constructor(engine: Engine, namespace: Namespace, clock: Clock) {
    this.#engine = engine;
    this.#namespace = namespace;
    this.#clock = clock;
  }

  async states(ids: readonly SliceId[]): Promise<SliceState[]> {
    return await this.#engine.read((tx) => fatesOfSlices(tx, this.#namespace, ids));
  }

  async deadSlices(limit: number, graceMs: number): Promise<DeadSlice[]> {
    const dead = await this.#engine.read((tx) =>
      this.#namespace.deadSlices(tx, DEAD_SLICES_WATCHED),
    );
    const nowMs = this.#clock.monotonicMs();
    const seenMs = new Map<SliceId, number>();
    for (const { slice } of dead) seenMs.set(slice, this.#firstSeenMs.get(slice) ?? nowMs);
    this.#firstSeenMs = seenMs;
    return dead
      .filter(({ slice }) => nowMs - (seenMs.get(slice) ?? nowMs) >= graceMs)
      .slice(0, limit);
  }

  async forgetSlices(slices: readonly DeadSlice[]): Promise<void> {
    const ids = slices.map((dead) => dead.slice);
    await this.#engine.transact((tx) => this.#namespace.forgetSlices(tx, ids));
  }

  async reap(limit: number): Promise<number> {
    return await this.#engine.transact((tx) => this.#namespace.reap(tx, limit));
  }

  async abandonedRanges(): Promise<ReadonlySet<string>> {
    return await this.#engine.read(abandonedRanges);
  }

  async forgetAbandonedRanges(ranges: ReadonlySet<string>): Promise<void> {
    await this.#engine.transact((tx) => forgetAbandonedRanges(tx, ranges));
  }
}
