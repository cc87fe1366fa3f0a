// The settling job's view of the metadata engine.
import { WALK_STEP_RECORDS } from "../jobs/limits.ts";
import type { SettlingLedger } from "../jobs/settling-job.ts";
import type { Engine } from "../meta/engine/engine.ts";
import { dropMarks, settleSlices, walkMarks } from "../meta/namespace/unsettled-slices.ts";
import type { Clock } from "../platform/clock.ts";
import type { SlicePlace, UnsettledSlice } from "../protocol/meta/meta-service.ts";

export class EngineSettlingLedger implements SettlingLedger {
  readonly #engine: Engine;
  readonly #clock: Clock;

  constructor(engine: Engine, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  async unsettled(
    after: SlicePlace | undefined,
    ageMs: number,
  ): Promise<{ found: readonly UnsettledSlice[]; next: SlicePlace | undefined }> {
    const nowMs = this.#clock.nowMs();
    // A mark from the future tells of a clock that was set back.
    const isDue = (sinceMs: number): boolean => sinceMs > nowMs || nowMs - sinceMs >= ageMs;
    const { found, stale, next } = await this.#engine.read((tx) =>
      walkMarks(tx, after, WALK_STEP_RECORDS, ({ sinceMs }) => isDue(sinceMs)),
    );
    if (stale.length > 0) await this.#engine.transact((tx) => dropMarks(tx, stale));
    return { found, next };
  }

  async settle(slices: readonly SlicePlace[]): Promise<void> {
    await this.#engine.transact((tx) => settleSlices(tx, slices));
  }
}
