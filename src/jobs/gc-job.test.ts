import test from "ava";
import { noteCited } from "../meta/copies/copy-records.ts";
import { RepairWorld, type BlockFile } from "../testing/jobs/repair-world.ts";
import { present } from "../testing/present.ts";
import { DEAD_SLICE_GRACE_MS, GC_SLICES_PER_STEP, JOB_RETRY_MIN_MS } from "./limits.ts";

const NOWHERE = { atHome: 0, elsewhere: 0 };

test("a dead slice loses its shards on every node, and then its tombstone", async (t) => {
  const world = await RepairWorld.make();
  const [dead, alive] = [await world.write(), await world.write()];
  await world.unlink(dead);
  t.is(await world.buried(), 1);
  t.is(await world.collect(), "done");
  t.deepEqual(world.where(dead), NOWHERE);
  t.is(world.where(alive).atHome, 6);
  t.is(await world.buried(), 0);
  t.is(world.gcJob.counts().done, 1);
});

test("readers that still have its extents have their grace", async (t) => {
  const world = await RepairWorld.make({ graceMs: DEAD_SLICE_GRACE_MS });
  const file = await world.write();
  await world.unlink(file);
  await world.collect();
  await world.clock.advance(DEAD_SLICE_GRACE_MS - 1000);
  await world.collect();
  t.is(world.where(file).atHome, 6);
  await world.clock.advance(2000);
  await world.collect();
  t.deepEqual(world.where(file), NOWHERE);
});

test("a node that is away delays only its own: its shards go when it is back", async (t) => {
  const world = await RepairWorld.make();
  const files = [await world.write(), await world.write()];
  const away = present(world.nodes[4]);
  await world.kill(away);
  for (const file of files) await world.unlink(file);
  t.is(await world.collect(), "done");
  for (const file of files) t.is(world.where(file).atHome, 1);
  t.is(await world.buried(), 2, "the tombstones wait for the node");
  t.is(await world.backlogOf(away), 2);
  t.is(await world.backlogOf(present(world.nodes[0])), 0);
  await world.revive(away);
  t.is(await world.pass(), "done", "garbage makes no group unclean");
  await world.collect();
  for (const file of files) t.deepEqual(world.where(file), NOWHERE);
  t.is(await world.buried(), 0);
});

test("files deleted while a node was down leave clean groups, their mount living on", async (t) => {
  const world = await RepairWorld.make();
  const files = [];
  for (let count = 0; count < 8; count++) files.push(await world.write());
  const away = present(world.nodes[1]);
  await world.kill(away);
  for (const file of files) await world.unlink(file);
  await world.collect();
  await world.revive(away);
  for (const look of ["first", "second"]) t.is(await world.pass(), "done", look);
  await world.collect();
  t.is(world.dirty, 0);
  t.is(
    world.nodes.reduce((sum, node) => sum + node.memory.ids.length, 0),
    0,
  );
});

test("a node that fails, or hangs, holds nobody else's garbage up", async (t) => {
  const world = await RepairWorld.make();
  const [failing, hung] = [present(world.nodes[0]), present(world.nodes[1])];
  failing.fail("deleteMany", "EIO");
  hung.hang("deleteMany");
  const files = [];
  for (let count = 0; count < 3; count++) files.push(await world.write());
  for (const file of files) await world.unlink(file);
  await world.collect();
  for (const file of files) t.is(world.where(file).atHome, 2);
  failing.heal();
  hung.heal();
  await world.clock.advance(JOB_RETRY_MIN_MS);
  await world.collect();
  for (const file of files) t.deepEqual(world.where(file), NOWHERE);
  t.is(await world.buried(), 0);
});

test("a node that fails is left alone for a while, then for longer", async (t) => {
  const world = await RepairWorld.make();
  const failing = present(world.nodes[0]);
  failing.fail("deleteMany", "EIO");
  await world.unlink(await world.write());
  const passes = 12;
  for (let pass = 0; pass < passes; pass++) {
    await world.collect();
    await world.clock.advance(JOB_RETRY_MIN_MS);
  }
  const asked = failing.callsOf("deleteMany");
  t.true(asked >= 3 && asked <= 5, `asked ${asked} times in ${passes} s`);
});

test("deaths are taken in steps, and a new server goes on where the old one was", async (t) => {
  const world = await RepairWorld.make();
  const away = present(world.nodes[5]);
  const files = [];
  for (let count = 0; count < GC_SLICES_PER_STEP + 3; count++) files.push(await world.write());
  await world.kill(away);
  for (const file of files) await world.unlink(file);
  await world.collect();
  t.is(await world.buried(), files.length);
  const later = await world.restartServer();
  for (const node of later.nodes) await later.revive(node);
  await later.collect();
  const asked = later.nodes.filter((node) => node.callsOf("deleteMany") > 0);
  t.deepEqual(asked, [away], "the others had confirmed before");
  t.is(await later.buried(), 0);
  for (const file of files) t.deepEqual(later.where(file), NOWHERE);
});

test("nothing is deleted on a node that hasn't registered with this run", async (t) => {
  const world = await RepairWorld.make();
  const file = await world.write();
  await world.unlink(file);
  const later = await world.restartServer();
  await later.collect();
  t.is(later.where(file).atHome, 6);
  t.is(await later.buried(), 1);
});

test("a death is on disk before anything is deleted", async (t) => {
  const world = await RepairWorld.make();
  const file = await world.write();
  await world.unlink(file);
  const { engine } = world.meta;
  let flushed = false;
  const flush = engine.flush.bind(engine);
  engine.flush = async () => {
    t.is(world.where(file).atHome, 6);
    flushed = true;
    await flush();
  };
  await world.collect();
  t.true(flushed);
  t.deepEqual(world.where(file), NOWHERE);
});

test("what a copy of the metadata may cite goes by way of the trash", async (t) => {
  const world = await RepairWorld.make();
  const backs = async (file: BlockFile): Promise<boolean[]> => {
    const asked = world.homesOf(file).map(async (node, slot) => {
      const [stands] = await node.memory.unpark([world.shardOf(file, slot)]);
      return stands === true;
    });
    return await Promise.all(asked);
  };
  const before = await world.write();
  await world.unlink(before);
  await world.collect();
  t.false((await backs(before)).includes(true));

  const [copied, since] = [await world.write(), await world.write()];
  await world.meta.engine.transact(noteCited);
  await world.unlink(copied);
  await world.collect();
  t.deepEqual(world.where(copied), NOWHERE);
  t.is(await world.buried(), 0);
  t.false((await backs(copied)).includes(false));

  // So it does where repair comes first, on a node that was away.
  const away = present(world.homesOf(since)[0]);
  await world.kill(away);
  await world.unlink(since);
  await world.collect();
  await world.revive(away);
  await world.pass();
  t.deepEqual(world.where(since), NOWHERE);
  t.false((await backs(since)).includes(false));

  // No copy has what was given since the newest.
  const later = await world.restartServer();
  await later.revive(...later.nodes);
  const unseen = await later.write();
  await later.unlink(unseen);
  await later.collect();
  t.deepEqual(later.where(unseen), NOWHERE);
  t.false((await backs(unseen)).includes(true));
});
