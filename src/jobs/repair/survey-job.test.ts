import test from "ava";
import type { SliceId } from "../../domain/ids.ts";
import { putReconcile } from "../../meta/cluster/cluster-records.ts";
import { RepairWorld } from "../../testing/jobs/repair-world.ts";
import { present } from "../../testing/present.ts";
import { FIRST_SURVEY_AFTER_MS, FULL_SURVEY_INTERVAL_MS } from "../limits.ts";

const NOWHERE = { atHome: 0, elsewhere: 0 };
const ALL_HOME = { atHome: 6, elsewhere: 0 };

test("every hour all groups are looked at: a loss that nobody reported is found", async (t) => {
  const world = await RepairWorld.make({ pgCount: 40 });
  const file = await world.write();
  t.is(await world.pass(), "done");
  for (const waitMs of [FIRST_SURVEY_AFTER_MS, FULL_SURVEY_INTERVAL_MS, FULL_SURVEY_INTERVAL_MS]) {
    await world.lose(file, 2);
    await world.survey();
    t.is(world.where(file).atHome, 5, "not due yet");
    await world.clock.advance(waitMs);
    await world.survey();
    t.deepEqual(world.where(file), ALL_HOME);
  }
  t.is(world.surveyJob.counts().done, 3);
});

test("a step that fails is taken again: no group is left out", async (t) => {
  const world = await RepairWorld.make({ pgCount: 40 });
  const files = [];
  for (let count = 0; count < 8; count++) files.push(await world.write());
  for (const file of files) await world.lose(file, 0);
  await world.clock.advance(FIRST_SURVEY_AFTER_MS);
  const look = world.repair.look.bind(world.repair);
  let calls = 0;
  world.repair.look = (...args) => {
    calls += 1;
    return calls === 20 ? Promise.reject(new Error("the store is away")) : look(...args);
  };
  await t.throwsAsync(world.survey(), { message: "the store is away" });
  await world.survey();
  for (const file of files) t.deepEqual(world.where(file), ALL_HOME);
});

test("shards of an ended session that no record explains are parked, not deleted", async (t) => {
  const world = await RepairWorld.make();
  const [file, block] = [await world.write(), await world.putBlock()];
  await world.survey();
  t.deepEqual(world.where(block), ALL_HOME);
  await world.meta.sessions.end(world.session);
  await world.survey();
  t.deepEqual(world.where(block), NOWHERE);
  t.deepEqual(world.where(file), ALL_HOME);
  const stats = await Promise.all(world.nodes.map((node) => node.memory.stats()));
  t.is(
    stats.reduce((sum, { parked }) => sum + parked, 0),
    6,
  );
  t.is(world.callsOf("deleteMany"), 0);
});

test("ids of an ended session are looked for until every node was asked", async (t) => {
  const world = await RepairWorld.make();
  const block = await world.putBlock();
  const away = present(world.nodes[5]);
  await world.kill(away);
  await world.meta.sessions.end(world.session);
  t.is(await world.survey(), "later");
  t.is((await world.ledger.abandonedRanges()).size, 1);
  await world.revive(away);
  await world.survey();
  t.deepEqual(world.where(block), NOWHERE);
  t.is((await world.ledger.abandonedRanges()).size, 0);
  t.deepEqual(await world.ledger.states([block.slice]), ["orphan"], "and known for ever");
});

test("a shard of an id that nobody was given is nobody's to judge, and is told of", async (t) => {
  const world = await RepairWorld.make();
  const strange = await world.putBlock(99_999_999 as SliceId);
  await world.clock.advance(FIRST_SURVEY_AFTER_MS);
  await world.survey();
  t.deepEqual(world.where(strange), ALL_HOME);
  t.is(world.surveyJob.unexplained, 1);
  t.is(world.dirty, 0);
});

test("a store that may know less than once parks nothing before a survey of all", async (t) => {
  const world = await RepairWorld.make();
  const block = await world.putBlock();
  await world.meta.sessions.end(world.session);
  const away = present(world.nodes[2]);
  await world.kill(away);
  await world.meta.engine.transact((tx) => putReconcile(tx, "restored"));
  t.is(await world.survey(), "later");
  await world.revive(away);
  await world.survey();
  t.deepEqual(world.where(block), ALL_HOME);
  t.true(await world.ledger.mayInfer());
  await world.survey();
  t.deepEqual(world.where(block), NOWHERE);
});

test("a file of which no node has a shard left is missed, whatever the listings", async (t) => {
  const world = await RepairWorld.make();
  const file = await world.write();
  for (let slot = 0; slot < 6; slot++) await world.lose(file, slot);
  await world.clock.advance(FIRST_SURVEY_AFTER_MS);
  await world.survey();
  t.is(world.reports, 1);
  t.is(await world.pass(), "later");
  t.is(world.repairJob.unreadableBlocks, 1);
});

test("a block that nobody has is found in a group that can't be made whole", async (t) => {
  const world = await RepairWorld.make();
  const away = present(world.nodes[0]);
  await world.kill(away);
  const files = [];
  for (let count = 0; count < 24; count++) files.push(await world.write());
  await world.revive(away);
  away.fail("rebuild", "ENOSPC");
  await world.clock.advance(FIRST_SURVEY_AFTER_MS);
  const lost = present(files[0]);
  const shards = Array.from({ length: 6 }, (_, slot) => world.shardOf(lost, slot));
  for (const { memory } of world.nodes) await memory.deleteMany(shards);
  await world.survey();
  t.is(world.reports, 1);
});

test("what is on a node that is away isn't called lost", async (t) => {
  const world = await RepairWorld.make();
  const files = [];
  for (let count = 0; count < 24; count++) files.push(await world.write());
  await world.kill(present(world.nodes[0]));
  await world.clock.advance(FIRST_SURVEY_AFTER_MS);
  const file = present(files[0]);
  const shards = Array.from({ length: 6 }, (_, slot) => world.shardOf(file, slot));
  for (const { memory } of world.nodes.slice(1)) await memory.deleteMany(shards);
  await world.survey();
  t.true(world.dirty > 0);
  t.is(world.reports, 0);
});

test("shards that haven't come home yet aren't called missing", async (t) => {
  const world = await RepairWorld.make();
  const away = present(world.nodes[0]);
  await world.kill(away);
  for (let count = 0; count < 24; count++) await world.write();
  await world.revive(away);
  away.fail("rebuild", "ENOSPC");
  await world.clock.advance(FIRST_SURVEY_AFTER_MS);
  await world.survey();
  t.is(world.surveyJob.counts().done, 1);
  t.true(world.dirty > 0);
  t.is(world.reports, 0);
});
