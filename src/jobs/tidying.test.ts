import test from "ava";
import { FsError } from "../domain/errno.ts";
import type { SliceId } from "../domain/ids.ts";
import { BLOCK_BYTES, CHUNK_BYTES } from "../domain/format.ts";
import { COMPACT_MIN_EXTENTS } from "./limits.ts";
import { endJobSessions } from "../meta/session/job-session.ts";
import type { StoredExtent } from "../meta/schema/extents.ts";
import { interrupted, runJob, TidyWorld } from "../testing/jobs/tidy-world.ts";
import { pickFragmented } from "./compaction-plan.ts";

const KIB = 1024;

/** Extents side by side from `start` on. */
function row(lengths: readonly number[], start = 0): StoredExtent[] {
  let posInChunk = start;
  return lengths.map((lengthBytes, index) => {
    const extent = { posInChunk, lengthBytes, offInSlice: 0, slice: (index + 1) as SliceId };
    posInChunk += lengthBytes;
    return extent;
  });
}

const many = (count: number, bytes: number): number[] => Array<number>(count).fill(bytes);

test("only runs of many small extents are worth it, without long ones at their edges", (t) => {
  t.deepEqual(pickFragmented(row(many(COMPACT_MIN_EXTENTS - 1, 100))), []);
  t.is(pickFragmented(row(many(COMPACT_MIN_EXTENTS, 100))).length, COMPACT_MIN_EXTENTS);
  t.deepEqual(pickFragmented(row(many(200, 64 * KIB))), []);
  const edges = row([600 * KIB, ...many(100, 4 * KIB), 500 * KIB]);
  t.deepEqual(pickFragmented(edges), edges.slice(1, -1));
  const whole = pickFragmented(row(many(CHUNK_BYTES / (16 * KIB), 16 * KIB)));
  t.is(whole.length, BLOCK_BYTES / (16 * KIB));
  const apart = row(many(100, 4 * KIB)).map((extent, index) => {
    return { ...extent, posInChunk: index * 8 * KIB };
  });
  t.deepEqual(pickFragmented(apart), [], "extents with holes between them stay as many");
});

test("a file that grows by small writes is rewritten a few times, not each time", async (t) => {
  await using world = await TidyWorld.make();
  const file = await world.create();
  const compaction = world.compaction();
  for (let index = 0; index < 1024; index += 1) {
    await world.write(file, file.bytes.length, 200, true);
    if (index % 8 === 7) await runJob(compaction);
  }
  await world.check(t);
  t.true((await world.extentsOf(file)).length < 3 * COMPACT_MIN_EXTENTS);
  const { doneBytes = 0 } = compaction.counts();
  t.true(doneBytes < 4 * file.bytes.length, `${doneBytes} of ${file.bytes.length} rewritten`);
});

test("what a copy shares with its source stays shared, until one of them is gone", async (t) => {
  await using world = await TidyWorld.make();
  const [source, copy] = [await world.create(), await world.create()];
  for (let index = 0; index < 100; index += 1) {
    await world.write(source, 4 * KIB * index, 4 * KIB, true);
  }
  await world.copy(source, 0, copy, 0);
  await runJob(world.compaction());
  t.is((await world.extentsOf(source)).length, 100);
  await world.unlink(source);
  await world.collect();
  await runJob(world.compaction());
  t.is((await world.extentsOf(copy)).length, 1);
  await world.check(t);
});

test("packed slices that are mostly deleted are packed anew, the old collected", async (t) => {
  await using world = await TidyWorld.make();
  for (let index = 0; index < 40; index += 1) {
    await world.write(await world.create(), 0, 3000, true);
  }
  const packing = world.packing();
  await runJob(packing);
  t.deepEqual(await world.inline(), { count: 0, bytes: 0 });
  t.is(world.blocks.blocks.size, 1);
  await world.check(t);
  for (const file of world.files.slice(5)) await world.unlink(file);
  await runJob(packing);
  await runJob(packing);
  await world.collect();
  t.deepEqual(
    [...world.blocks.blocks.values()].map((block) => block.length),
    [5 * 3000],
  );
  await world.check(t);
});

test("what has been packed by another meanwhile, or is gone, stays as it is", async (t) => {
  await using world = await TidyWorld.make();
  for (let index = 0; index < 4; index += 1) await world.write(await world.create(), 0, 3000, true);
  const other = world.packing();
  const ledger = interrupted(world.ledger, () => runJob(other));
  const late = world.packing(ledger);
  await runJob(late);
  t.is(late.counts().done, 0);
  t.is(other.counts().done, 4);
  await world.collect();
  t.is(world.blocks.blocks.size, 1, "the slice that came too late is collected");
  await world.check(t);
});

test("bytes that moved within the file meanwhile aren't taken for those read", async (t) => {
  await using world = await TidyWorld.make();
  const file = await world.create();
  for (let index = 0; index < 40; index += 1) await world.write(file, index * 1000, 1000, true);
  const copy = await world.create();
  const ledger = interrupted(world.ledger, async () => {
    // The same slices, at other positions.
    await world.copy(file, 0, copy, 0);
    await world.copy(copy, 500, file, 0);
  });
  await runJob(world.compaction(ledger));
  await world.check(t);
});

test("what a server killed before its commit wrote is an orphan; nothing is lost", async (t) => {
  await using world = await TidyWorld.make();
  const file = await world.create();
  for (let index = 0; index < 40; index += 1) await world.write(file, index * 1000, 1000, true);
  let killed: () => void = () => undefined;
  const death = new Promise<void>((resolve) => (killed = resolve));
  const never = new Promise<void>(() => undefined);
  for (const make of [world.compaction.bind(world), world.packing.bind(world)]) {
    const job = make(
      interrupted(world.ledger, () => {
        killed();
        return never;
      }),
    );
    void runJob(job);
    await death;
  }
  while (world.blocks.puts.length < 2) await new Promise(setImmediate);
  const written = world.blocks.puts.map(({ slice }) => slice);
  t.deepEqual(await world.slices.states(written), ["pending", "pending"]);
  await world.fs.do((_ns, tx) => endJobSessions(tx));
  t.deepEqual(await world.slices.states(written), ["orphan", "orphan"]);
  t.true((await world.slices.abandonedRanges()).size > 0, "so that a survey finds them");
  await world.check(t);
});

test("what could not be written, or committed, is left to gc; the job goes on", async (t) => {
  await using world = await TidyWorld.make();
  const file = await world.create();
  for (let index = 0; index < 40; index += 1) await world.write(file, index * 1000, 1000, true);
  const compaction = world.compaction();
  world.blocks.onPut = () => {
    throw new FsError("ENOSPC", "injected");
  };
  await t.throwsAsync(runJob(compaction), { code: "ENOSPC" });
  world.blocks.onPut = () => undefined;
  world.blocks.onSync = () => {
    throw new FsError("EIO", "injected");
  };
  await runJob(compaction);
  await t.throwsAsync(runJob(compaction), { code: "EIO" });
  world.blocks.onSync = () => undefined;
  t.is(world.blocks.blocks.size, 1);
  await world.collect();
  t.is(world.blocks.blocks.size, 0);
  await runJob(compaction);
  await runJob(compaction);
  t.is((await world.extentsOf(file)).length, 1);
  await world.check(t);
});
