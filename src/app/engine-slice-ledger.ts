// The jobs' view of slices, over the metadata engine.
import type { NodeId, SliceId } from "../domain/ids.ts";
import { DeathMarks } from "../jobs/death-marks.ts";
import type {
  SliceState,
  SliceStates,
  StripedSlice,
  SurveyLedger,
  Tombstone,
  Tombstones,
} from "../jobs/slice-ledger.ts";
import { clearReconcile, whyReconcile } from "../meta/cluster/cluster-records.ts";
import { copiesCiteBelow } from "../meta/copies/copy-records.ts";
import type { Engine } from "../meta/engine/engine.ts";
import { findStripedSlices } from "../meta/namespace/rewriting.ts";
import { reapStep } from "../meta/namespace/reaper.ts";
import {
  forgetTombstones,
  gcProgress,
  nextDeath,
  oldestDeath,
  putGcProgress,
  tombstones,
} from "../meta/namespace/tombstones.ts";
import { markSurveyed, unsurveyedRanges } from "../meta/schema/slice-ranges.ts";
import { fatesOfSlices } from "../meta/session/slice-fates.ts";
import type { Clock } from "../platform/clock.ts";

export class EngineSliceLedger implements SliceStates, Tombstones, SurveyLedger {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #marks: DeathMarks;
  #durableBelow = 0;
  #waiting = 0;

  /** @param graceMs that shards outlive their slices, for readers that still have its extents */
  constructor(engine: Engine, clock: Clock, graceMs: number) {
    this.#engine = engine;
    this.#clock = clock;
    this.#marks = new DeathMarks(graceMs);
  }

  async states(ids: readonly SliceId[]): Promise<SliceState[]> {
    if (ids.length === 0) return [];
    const due = this.#marks.due;
    const states = await this.#engine.read((tx) => fatesOfSlices(tx, ids, due));
    // Their shards will be deleted: a power cut must not bring back metadata that cites them, or a
    // session that may still commit them.
    if (states.includes("dead") || states.includes("orphan")) await this.#engine.flush();
    return states;
  }

  async mayInfer(): Promise<boolean> {
    return (await this.#engine.read(whyReconcile)) === undefined;
  }

  async copiesCiteBelow(): Promise<SliceId> {
    return await this.#engine.read(copiesCiteBelow);
  }

  async due(): Promise<number> {
    const { next, oldest } = await this.#engine.read((tx) => {
      return { next: nextDeath(tx), oldest: oldestDeath(tx) };
    });
    this.#waiting = next - oldest;
    this.#marks.note(this.#clock.monotonicMs(), next);
    const { due } = this.#marks;
    // A power cut must not bring back metadata that cites what is deleted then.
    if (due > this.#durableBelow) await this.#engine.flush();
    this.#durableBelow = Math.max(due, this.#durableBelow);
    return due;
  }

  /** A node of which nothing is known begins with the oldest tombstone. */
  async progress(nodes: readonly NodeId[]): Promise<ReadonlyMap<NodeId, number>> {
    return await this.#engine.read((tx) => {
      const oldest = oldestDeath(tx);
      return new Map(nodes.map((id) => [id, Math.max(oldest, gcProgress(tx, id) ?? 0)]));
    });
  }

  async tombstones(from: number, below: number, limit: number): Promise<Tombstone[]> {
    return await this.#engine.read((tx) => tombstones(tx, from, below, limit));
  }

  async advance(node: NodeId, progress: number): Promise<void> {
    await this.#engine.transact((tx) => putGcProgress(tx, node, progress));
  }

  async forget(below: number, limit: number): Promise<number> {
    const oldest = await this.#engine.read(oldestDeath);
    if (oldest >= below) return 0;
    return await this.#engine.transact((tx) => forgetTombstones(tx, below, limit));
  }

  get waiting(): number {
    return this.#waiting;
  }

  async reap(limit: number): Promise<number> {
    return await this.#engine.transact((tx) => reapStep(tx, limit));
  }

  async stripedSlices(
    from: SliceId,
    limit: number,
  ): Promise<{ found: StripedSlice[]; next: SliceId | undefined }> {
    return await this.#engine.read((tx) => findStripedSlices(tx, from, limit));
  }

  async abandonedRanges(): Promise<ReadonlySet<SliceId>> {
    return new Set(await this.#engine.read(unsurveyedRanges));
  }

  async surveyed({
    abandoned,
    isTidy,
  }: {
    abandoned: ReadonlySet<SliceId>;
    isTidy: boolean;
  }): Promise<void> {
    await this.#engine.transact((tx) => {
      if (isTidy) markSurveyed(tx, [...abandoned]);
      clearReconcile(tx);
    });
  }
}
