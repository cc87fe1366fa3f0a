import test from "ava";
import { BLOCK_BYTES } from "../domain/format.ts";
import { DEAD_SLICE_GRACE_MS } from "./limits.ts";
import { DEFAULT_POOL, type SliceId } from "../domain/ids.ts";
import type { BlockRef } from "../domain/layout.ts";
import { GcJob } from "./gc-job.ts";
import type { DeadSlice, SliceLedger } from "./slice-ledger.ts";

class FakeLedger implements SliceLedger {
  dead: DeadSlice[] = [];
  readonly waiting = 0;
  abandoned = false;
  readonly graces: number[] = [];

  async states(): Promise<never[]> {
    return [];
  }
  async deadSlices(limit: number, graceMs: number): Promise<DeadSlice[]> {
    this.graces.push(graceMs);
    return this.dead.slice(0, limit);
  }
  async forgetSlices(slices: readonly DeadSlice[]): Promise<void> {
    this.dead = this.dead.filter((slice) => !slices.includes(slice));
  }
  async reap(): Promise<number> {
    return 0;
  }
  async abandonedRanges(): Promise<Set<string>> {
    return new Set(this.abandoned ? ["range"] : []);
  }
  async forgetAbandonedRanges(ranges: ReadonlySet<string>): Promise<void> {
    if (ranges.size > 0) this.abandoned = false;
  }
}

const deadSlice = { slice: 9 as SliceId, pool: DEFAULT_POOL, storedBytes: 2 * BLOCK_BYTES + 5 };
const signal = new AbortController().signal;

test("a dead slice loses the shards of all its blocks, of the short last one too", async (t) => {
  const ledger = new FakeLedger();
  ledger.dead = [deadSlice];
  const deleted: BlockRef[] = [];
  const blocks = { deleteBlocks: async (refs: readonly BlockRef[]) => void deleted.push(...refs) };
  const gc = new GcJob({ ledger, blocks, onAbandonedRanges: () => t.fail() });
  t.is(await gc.pass(signal), "done");
  t.deepEqual(
    deleted.map((ref) => [ref.slice, ref.index, ref.lengthBytes]),
    [
      [9, 0, BLOCK_BYTES],
      [9, 1, BLOCK_BYTES],
      [9, 2, 5],
    ],
  );
  t.deepEqual(ledger.dead, []);
  t.deepEqual(ledger.graces, [DEAD_SLICE_GRACE_MS]);
});

test("a slice whose shards could not be deleted stays on the list", async (t) => {
  const ledger = new FakeLedger();
  ledger.dead = [deadSlice];
  const blocks = { deleteBlocks: () => Promise.reject(new Error("nodes away")) };
  const gc = new GcJob({ ledger, blocks, onAbandonedRanges: () => t.fail() });
  await t.throwsAsync(gc.pass(signal), { message: "nodes away" });
  t.deepEqual(ledger.dead, [deadSlice]);
});

test("ids left behind by ended sessions call for a survey", async (t) => {
  const ledger = new FakeLedger();
  ledger.abandoned = true;
  let asked = 0;
  const blocks = { deleteBlocks: () => Promise.resolve() };
  await new GcJob({ ledger, blocks, onAbandonedRanges: () => asked++ }).pass(signal);
  t.is(asked, 1);
});
