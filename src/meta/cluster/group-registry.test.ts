import test from "ava";
import { DEFAULT_POOL } from "../../domain/ids.ts";
import type { DamageReport } from "../../protocol/meta/meta-service.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import {
  beat,
  damage,
  join,
  leave,
  nodeId,
  settleGroups,
  writeSomething,
} from "../../testing/meta/joined-nodes.ts";
import { openLocalMeta } from "../../testing/meta/meta-server.ts";
import { present } from "../../testing/present.ts";
import { NO_CONCERNS } from "./group-ledger.ts";
import type { GroupRegistry } from "./group-registry.ts";
import { MAP_HISTORY_GRACE_MS, MAX_DAMAGE_PER_GROUP } from "./limits.ts";

function waitingOf(groups: GroupRegistry, pg: number): DamageReport[] {
  return groups.concernsOf({ pool: DEFAULT_POOL, pg }).findings.map(({ report }) => report);
}

test("only the answer to a report ends it, and not where it was made again since", async (t) => {
  const meta = await openLocalMeta();
  await join(meta, 3);
  const { groups } = meta.cluster;
  const group = { pool: DEFAULT_POOL, pg: 2 };
  await groups.reportDamage([damage(2), damage(2, 512)]);
  const { findings } = groups.concernsOf(group);
  await groups.reportDamage([damage(2, 512)]);
  const { epoch } = meta.cluster.current();
  await groups.recordLooks([{ group, isClean: true, answers: NO_CONCERNS }], epoch);
  t.deepEqual(waitingOf(groups, 2), [damage(2), damage(2, 512)], "a clean look answers nothing");
  await groups.recordLooks([{ group, isClean: false, answers: { findings, doubts: [] } }], epoch);
  t.deepEqual(waitingOf(groups, 2), [damage(2, 512)]);
  t.deepEqual(groups.dirty(), [group]);
});

test("whoever repairs hears of damage once, and not of what was known", async (t) => {
  const meta = await openLocalMeta();
  await join(meta, 3);
  const { groups } = meta.cluster;
  let heard = 0;
  const stop = groups.onNews(() => heard++);
  await groups.reportDamage([damage(1), damage(2)]);
  await groups.reportDamage([damage(1)]);
  t.is(heard, 1);
  stop();
  await groups.reportDamage([damage(3)]);
  t.is(heard, 1);
});

test("damage beyond what is kept of a group puts its node in doubt, until read", async (t) => {
  const meta = await openLocalMeta();
  await join(meta, 3);
  const { groups } = meta.cluster;
  const many = Array.from({ length: MAX_DAMAGE_PER_GROUP + 10 }, (_, i) => damage(3, 256 + i));
  await groups.reportDamage(many);
  const { findings, doubts } = groups.concernsOf({ pool: DEFAULT_POOL, pg: 3 });
  t.is(findings.length, MAX_DAMAGE_PER_GROUP);
  t.deepEqual(
    doubts.map(({ node, verify }) => [node, verify]),
    [[nodeId(1), true]],
  );
  const group = { pool: DEFAULT_POOL, pg: 3 };
  await groups.doubtNode(nodeId(1), false);
  t.true(present(groups.concernsOf(group).doubts[0]).verify, "a lesser doubt takes nothing away");
});

test("reports of what can't be are ignored", async (t) => {
  const meta = await openLocalMeta();
  await join(meta, 3);
  const { groups } = meta.cluster;
  const real = damage(1);
  await groups.reportDamage([
    damage(99_999),
    { ...real, node: nodeId(77) },
    { ...real, shard: { ...real.shard, slot: 6 } },
  ]);
  t.deepEqual(groups.dirty(), []);
});

test("a node in doubt makes the groups unclean that it may hold, and no others", async (t) => {
  const clock = new FakeClock();
  const meta = await openLocalMeta({ clock });
  await join(meta, 12);
  // Under the maps with fewer nodes it was everywhere.
  await clock.advance(MAP_HISTORY_GRACE_MS + 1);
  await settleGroups(meta);
  const { groups } = meta.cluster;
  await groups.doubtNode(nodeId(4), false);
  const doubted = groups.dirty().length;
  t.true(doubted > 0 && doubted < groups.count());
  t.is(groups.waiting().doubtedGroups, doubted);
  await settleGroups(meta);
  t.deepEqual(groups.dirty(), []);
});

test("survivable losses follow node states, and wait for repair before they recover", async (t) => {
  const meta = await openLocalMeta();
  const { cluster } = meta;
  await join(meta, 6);
  await writeSomething(meta);
  t.is(cluster.groups.survivableLosses(), 2);
  await leave(meta, 1);
  t.is(cluster.groups.survivableLosses(), 1);
  await leave(meta, 2);
  t.is(cluster.groups.survivableLosses(), 0);
  await leave(meta, 3);
  t.is(cluster.groups.survivableLosses(), -1);
  await beat(meta, 1, 2, 3);
  t.true(cluster.groups.survivableLosses() < 2, "shards written meanwhile stand doubled up");
  await settleGroups(meta);
  t.is(cluster.groups.survivableLosses(), 2);
});

test("with three nodes one may be lost, with one none", async (t) => {
  const three = await openLocalMeta();
  await join(three, 3);
  t.is(three.cluster.groups.survivableLosses(), 1);
  const one = await openLocalMeta();
  await join(one, 1);
  t.is(one.cluster.groups.survivableLosses(), 0);
  const none = await openLocalMeta();
  t.is(none.cluster.groups.survivableLosses(), -1);
});

test("what is feared counts as lost until it is answered, but never as unreadable", async (t) => {
  const meta = await openLocalMeta();
  await join(meta, 6);
  await writeSomething(meta);
  const { groups } = meta.cluster;
  const real = damage(1);
  const slots = (...numbers: number[]): DamageReport[] =>
    numbers.map((slot) => ({ ...real, shard: { ...real.shard, slot } }));
  await groups.reportDamage(slots(1));
  t.is(groups.survivableLosses(), 1);
  await groups.reportDamage(slots(2));
  t.is(groups.survivableLosses(), 0);
  await groups.reportDamage(slots(3, 4));
  t.is(groups.survivableLosses(), 0);
  await settleGroups(meta);
  t.is(groups.survivableLosses(), 2);
  await groups.doubtNode(nodeId(2), false);
  t.is(groups.survivableLosses(), 1);
  await groups.reportDamage(slots(0, 1, 2, 3, 4, 5));
  t.is(groups.survivableLosses(), 0);
  await settleGroups(meta);
  t.is(groups.survivableLosses(), 2);
});
