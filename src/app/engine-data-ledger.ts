// The view that compaction and packing have of the data, over the metadata engine.
import type { PoolId, SliceId } from "../domain/ids.ts";
import { COMPACT_MIN_EXTENTS, WALK_STEP_RECORDS } from "../jobs/limits.ts";
import type {
  ChunkId,
  DataLedger,
  ExtentRun,
  NewSlice,
  Page,
  PickExtents,
  SmallSlice,
} from "../jobs/data-ledger.ts";
import type { Engine } from "../meta/engine/engine.ts";
import {
  findChunks,
  findSmallSlices,
  leaveToGc,
  packSlices,
  readRun,
  replaceRun,
} from "../meta/namespace/rewriting.ts";
import { JobSliceIds, slicesIssuedBelow } from "../meta/session/job-session.ts";

const FIRST_CHUNK: ChunkId = { data: 0, chunk: 0 };

export class EngineDataLedger implements DataLedger {
  readonly #engine: Engine;
  readonly #ids: JobSliceIds;

  constructor(engine: Engine, beganMs: number) {
    this.#engine = engine;
    this.#ids = new JobSliceIds(engine, beganMs);
  }

  async fragmentedChunks(
    from: ChunkId = FIRST_CHUNK,
    pick: PickExtents,
  ): Promise<Page<ChunkId, ChunkId>> {
    return await this.#engine.read((tx) =>
      findChunks(
        tx,
        from,
        WALK_STEP_RECORDS,
        COMPACT_MIN_EXTENTS,
        (extents) => pick(extents).length > 0,
      ),
    );
  }

  hasRoom(): boolean {
    return this.#engine.hasRoom();
  }

  async readRun(chunk: ChunkId, pick: PickExtents): Promise<ExtentRun | undefined> {
    return await this.#engine.read((tx) => readRun(tx, chunk, COMPACT_MIN_EXTENTS, pick));
  }

  /** Durable: what it replaces may have been, and will be deleted. */
  async replaceRun(run: ExtentRun, stored: NewSlice): Promise<number> {
    return await this.#engine.transact((tx) => replaceRun(tx, run, stored), { durable: true });
  }

  async smallSlices(
    from: SliceId | undefined,
    maxBytes: number,
  ): Promise<Page<SmallSlice, SliceId>> {
    const first = from ?? (0 as SliceId);
    return await this.#engine.read((tx) => findSmallSlices(tx, first, WALK_STEP_RECORDS, maxBytes));
  }

  async pack(members: readonly SmallSlice[], stored: NewSlice): Promise<number> {
    return await this.#engine.transact((tx) => packSlices(tx, members, stored), { durable: true });
  }

  async issuedBelow(): Promise<SliceId> {
    return await this.#engine.read(slicesIssuedBelow);
  }

  takeSliceId(): Promise<SliceId> {
    return this.#ids.take();
  }

  async abandon(stored: { slice: SliceId; pool: PoolId; storedBytes: number }): Promise<void> {
    await this.#engine.transact((tx) => leaveToGc(tx, stored));
  }
}
