import test from "ava";
import { sharedAbort } from "../../platform/flow/abort.ts";
import { RepairWorld } from "../../testing/jobs/repair-world.ts";
import { ClusterView } from "./cluster-view.ts";
import { present } from "../../testing/present.ts";
import { NODE_CALL_TIMEOUT_MS, REPAIR_REBUILDS_AT_ONCE } from "../limits.ts";

const ALL_HOME = { atHome: 6, elsewhere: 0 };

test("what was written while two nodes were down goes home when they are back", async (t) => {
  const world = await RepairWorld.make();
  const [a, b] = [present(world.nodes[0]), present(world.nodes[1])];
  const files = [await world.write()];
  await world.kill(a, b);
  for (let count = 0; count < 8; count++) files.push(await world.write());
  t.is(await world.pass(), "later");
  await world.revive(a, b);
  t.is(await world.pass(), "done");
  for (const file of files) t.deepEqual(world.where(file), ALL_HOME);
  t.is(world.dirty, 0);
});

test("a node that lost its disk is filled again from the others", async (t) => {
  const world = await RepairWorld.make();
  const files = [];
  for (let count = 0; count < 8; count++) files.push(await world.write());
  const emptied = present(world.nodes[2]);
  for (const file of files) await world.lose(file, world.homesOf(file).indexOf(emptied));
  await world.meta.cluster.groups.doubtNode(emptied.id, false);
  t.is(await world.pass(), "done");
  for (const file of files) t.deepEqual(world.where(file), ALL_HOME);
});

test("a node that is out has its share rebuilt on the others", async (t) => {
  const world = await RepairWorld.make();
  const files = [];
  for (let count = 0; count < 4; count++) files.push(await world.write());
  const gone = present(world.nodes[3]);
  await world.kill(gone);
  world.meta.cluster.start();
  for (let second = 0; second < 70; second++) {
    await world.clock.advance(1000);
    await world.beatAll(gone);
  }
  await world.meta.cluster.close();
  t.is(present(world.meta.cluster.current().nodes[3]).state, "out");
  t.is(await world.pass(), "done");
  for (const file of files) t.is(world.where(file).atHome, 6);
});

test("a stray copy that is corrupt holds no repair up", async (t) => {
  const world = await RepairWorld.make();
  const file = await world.write();
  const [home, elsewhere] = [present(world.homesOf(file)[0]), present(world.homesOf(file)[3])];
  const id = await world.copy(file, 0, elsewhere);
  elsewhere.memory.spoil(id);
  await world.lose(file, 0);
  await world.report(file, 0, "missing");
  t.is(await world.pass(), "done");
  t.deepEqual(world.where(file), ALL_HOME);
  t.is(await world.verdictAt(home, id), "secure");
});

test("a stray copy goes only when the home's own was read, which is corrupt here", async (t) => {
  const world = await RepairWorld.make();
  const file = await world.write();
  const [home, elsewhere] = [present(world.homesOf(file)[0]), present(world.homesOf(file)[3])];
  const id = await world.copy(file, 0, elsewhere);
  home.memory.spoil(id);
  // So that only the stray copy can bring it back.
  await world.lose(file, 1);
  await world.lose(file, 2);
  await world.report(file, 1, "missing");
  t.is(await world.pass(), "done");
  t.deepEqual(world.where(file), ALL_HOME);
  t.is(await world.verdictAt(home, id), "secure");
});

test("a corrupt shard that a reader reports is set aside and rebuilt, then answered", async (t) => {
  const world = await RepairWorld.make();
  const file = await world.write();
  const home = present(world.homesOf(file)[2]);
  const id = world.shardOf(file, 2);
  home.memory.spoil(id);
  await world.report(file, 2, "corrupt");
  t.is(await world.pass(), "done");
  t.is(world.reports, 0);
  t.is(await world.verdictAt(home, id), "secure");
  t.is(world.repair.shardsRebuilt, 1);
});

test("a report stays until it is answered: its node down, hung or unable to rebuild", async (t) => {
  const world = await RepairWorld.make();
  const file = await world.write();
  const home = present(world.homesOf(file)[2]);
  home.memory.spoil(world.shardOf(file, 2));
  await world.report(file, 2, "corrupt");
  await world.kill(home);
  t.is(await world.pass(), "later");
  t.is(world.reports, 1, "down");
  await world.revive(home);
  home.hang("secure");
  t.is(await world.pass(), "later");
  t.is(world.reports, 1, "hung");
  home.heal();
  home.fail("rebuild", "ENOSPC");
  t.is(await world.pass(), "later");
  t.is(world.reports, 1, "full");
  t.true(world.meta.cluster.groups.survivableLosses() < 2);
  home.heal();
  t.is(await world.pass(), "done");
  t.is(world.reports, 0);
  t.is(await world.verdictAt(home, world.shardOf(file, 2)), "secure");
  t.is(world.meta.cluster.groups.survivableLosses(), 2);
});

test("a report of a shard that is good is answered, and nothing is rebuilt", async (t) => {
  const world = await RepairWorld.make();
  const file = await world.write();
  await world.report(file, 4, "corrupt");
  t.is(await world.pass(), "done");
  t.is(world.reports, 0);
  t.is(world.repair.shardsRebuilt, 0);
});

test("what its node calls good but comes spoilt is set aside and rebuilt, once", async (t) => {
  const world = await RepairWorld.make();
  const file = await world.write();
  const home = present(world.homesOf(file)[1]);
  home.corrupt({ where: ({ slot }) => slot === 1 });
  await world.report(file, 1, "corrupt");
  t.is(await world.pass(), "done");
  t.is(home.callsOf("park"), 1);
  t.is(world.repair.shardsRebuilt, 1);
  await world.report(file, 1, "corrupt");
  t.is(await world.pass(), "later");
  t.is(home.callsOf("park"), 1, "what was built in its place comes spoilt, too");
  t.is(world.reports, 1);
});

test("no group is clean before its homes have answered for every shard", async (t) => {
  const world = await RepairWorld.make();
  const file = await world.write();
  const home = present(world.homesOf(file)[5]);
  await world.meta.cluster.groups.doubtNode(home.id, true);
  home.fail("secure", "EIO");
  t.is(await world.pass(), "later");
  t.true(world.isDirty(file.group));
  home.heal();
  home.memory.spoil(world.shardOf(file, 5));
  t.is(await world.pass(), "done");
  t.is(await world.verdictAt(home, world.shardOf(file, 5)), "secure");
});

test("a node that hangs is given up in time, and others' repair doesn't wait", async (t) => {
  const world = await RepairWorld.make();
  const file = await world.write();
  const [hung, poor] = world.homesOf(file);
  present(poor).memory.spoil(world.shardOf(file, 1));
  await world.report(file, 1, "corrupt");
  present(hung).hang("groups");
  const beganMs = world.clock.monotonicMs();
  t.is(await world.pass(), "later");
  t.true(world.clock.monotonicMs() - beganMs < NODE_CALL_TIMEOUT_MS + 1000);
  t.is(await world.verdictAt(present(poor), world.shardOf(file, 1)), "secure");
  t.is(world.reports, 0);
});

test("with too many shards lost nothing is deleted, and it is said", async (t) => {
  const world = await RepairWorld.make();
  const file = await world.write();
  for (const slot of [0, 1, 2]) {
    await world.lose(file, slot);
    await world.report(file, slot, "missing");
  }
  t.is(await world.pass(), "later");
  t.is(world.repairJob.unreadableBlocks, 1);
  t.deepEqual(world.where(file), { atHome: 3, elsewhere: 0 });
  t.is(world.reports, 3);
});

test("a block of which no shard is left is missed for as long as it was reported", async (t) => {
  const world = await RepairWorld.make();
  const file = await world.write();
  for (let slot = 0; slot < 6; slot++) await world.lose(file, slot);
  await world.report(file, 3, "missing");
  t.is(await world.pass(), "later");
  t.is(world.repairJob.unreadableBlocks, 1);
  await world.unlink(file);
  t.is(await world.pass(), "done");
  t.is(world.reports, 0);
});

test("a block that a session may still commit keeps its group unclean", async (t) => {
  const world = await RepairWorld.make();
  const block = await world.putBlock();
  await world.meta.cluster.groups.doubtNode(present(world.nodes[0]).id, false);
  t.is(await world.pass(), "later");
  t.true(world.isDirty(block.group));
  t.deepEqual(world.where(block), ALL_HOME);
  await world.meta.sessions.end(world.session);
  t.is(await world.pass(), "done");
  t.deepEqual(world.where(block), { atHome: 0, elsewhere: 0 });
  t.is(world.callsOf("park"), 6);
  t.is(world.callsOf("deleteMany"), 0);
});

test("a shard that was rebuilt while its slice died goes again", async (t) => {
  const world = await RepairWorld.make();
  const file = await world.write();
  const home = present(world.homesOf(file)[0]);
  const id = world.shardOf(file, 0);
  const { bytes, cellCrcs, sizeBytes } = await home.memory.get(id, 0, Buffer.alloc(100_000));
  await world.lose(file, 0);
  await world.report(file, 0, "missing");
  home.rebuild = async () => {
    await world.unlink(file);
    await world.collect();
    t.is(await world.buried(), 0, "gc has passed everywhere, and its tombstone is gone");
    await home.memory.put(id, { bytes, cellCrcs });
    return { id, sizeBytes };
  };
  t.is(await world.pass(), "done");
  t.deepEqual(world.where(file), { atHome: 0, elsewhere: 0 });
});

test("nothing is asked of a node that hasn't registered with this run", async (t) => {
  const world = await RepairWorld.make();
  await world.write();
  const later = await world.restartServer();
  t.is(await later.pass(), "done");
  await later.meta.cluster.groups.doubtNode(present(later.nodes[0]).id, false);
  t.is(await later.pass(), "later");
  t.is(later.callsOf("groups"), 0);
});

test("groups for which nothing can be done before a node is back are left alone", async (t) => {
  const world = await RepairWorld.make();
  const [file, other] = [await world.write(), await world.write()];
  const away = present(world.homesOf(file)[0]);
  await world.kill(away);
  t.is(await world.pass(), "later");
  const listed = world.callsOf("list");
  t.is(await world.pass(), "later");
  t.is(world.callsOf("list"), listed);
  const slot = world.homesOf(other).findIndex((home) => home !== away);
  await world.lose(other, slot);
  await world.report(other, slot, "missing");
  t.is(await world.pass(), "later");
  t.is(world.where(other).atHome, 6, "what is said anew is looked at");
  await world.revive(away);
  t.is(await world.pass(), "done");
});

test("what is said of a group during a look at it is looked at next", async (t) => {
  const world = await RepairWorld.make();
  const file = await world.write();
  const [away, witness] = [present(world.homesOf(file)[0]), present(world.homesOf(file)[1])];
  await world.kill(away);
  const secure = witness.secure.bind(witness);
  witness.secure = async (...asked) => {
    witness.secure = secure;
    const verdicts = await secure(...asked);
    await world.lose(file, 1);
    await world.report(file, 1, "missing");
    return verdicts;
  };
  t.is(await world.pass(), "later");
  t.deepEqual(world.where(file), { atHome: 5, elsewhere: 0 });
  t.is(await world.pass(), "later");
  t.deepEqual(world.where(file), ALL_HOME);
  t.is(world.reports, 0);
});

test("shards are rebuilt a few at a time, over all groups that are looked at", async (t) => {
  const world = await RepairWorld.make();
  const files = [];
  for (let count = 0; count < 32; count++) files.push(await world.write());
  for (const file of files) await world.lose(file, 0);
  await world.meta.cluster.groups.doubtNode(present(world.nodes[0]).id, false);
  let [busy, most] = [0, 0];
  for (const node of world.nodes) {
    const rebuild = node.rebuild.bind(node);
    node.rebuild = async (...asked) => {
      busy += 1;
      most = Math.max(most, busy);
      return await rebuild(...asked).finally(() => (busy -= 1));
    };
  }
  t.is(await world.pass(), "done");
  for (const file of files) t.deepEqual(world.where(file), ALL_HOME);
  t.is(most, REPAIR_REBUILDS_AT_ONCE);
});

test("what is said of a group after its nodes were asked waits for other answers", async (t) => {
  const world = await RepairWorld.make();
  const { cluster } = world.meta;
  const { signal } = sharedAbort();
  const before = await ClusterView.take(cluster, world.calls, signal);
  const { group } = await world.write();
  await cluster.groups.doubtNode(present(world.nodes[0]).id, false);
  await world.repair.look(group, before, signal);
  t.is(cluster.groups.concernsOf(group).doubts.length, 1);
  await world.repair.look(group, await ClusterView.take(cluster, world.calls, signal), signal);
  t.is(cluster.groups.concernsOf(group).doubts.length, 0);
});
