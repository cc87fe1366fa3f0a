// Blocks that were put while the map changed: the group that they are in must be looked at again.
import test from "ava";
import { ROOT_CALLER } from "../../domain/attributes.ts";
import { DEFAULT_POOL, ROOT_INO, type Epoch, type Name, type SliceId } from "../../domain/ids.ts";
import { poolOf } from "../../domain/cluster-map.ts";
import { homeNodes, placementGroupOf } from "../../placement/placement.ts";
import {
  beat,
  join,
  leave,
  nodeId,
  register,
  settleGroups,
  writeSomething,
} from "../../testing/meta/joined-nodes.ts";
import { openLocalMeta, type LocalMeta } from "../../testing/meta/meta-server.ts";
import { present } from "../../testing/present.ts";

const BYTES = 100_000;

/** A seventh node has joined six, and each group was looked at since. */
async function grown(): Promise<{ meta: LocalMeta; before: Epoch }> {
  const meta = await openLocalMeta();
  await join(meta, 6);
  await writeSomething(meta);
  const { epoch: before } = meta.cluster.current();
  await register(meta, 7);
  await settleGroups(meta);
  return { meta, before };
}

/** Commits to a new file a slice whose block the seventh node has a part of. */
async function commitMoved(meta: LocalMeta, epoch: Epoch): Promise<number> {
  const session = await meta.newSession();
  const { first } = await session.allocateSlices();
  const name = `f${first}` as Name;
  const { attr } = await session.create(ROOT_CALLER, ROOT_INO, name, { mode: 0o100644 }, true);
  const map = meta.cluster.current();
  const pool = poolOf(map, DEFAULT_POOL);
  const pgOf = (slice: number): number => placementGroupOf(pool, slice as SliceId, 0);
  const isMoved = (pg: number): boolean =>
    homeNodes(map, pool, pg).some((home) => home?.id === nodeId(7));
  let slice = first;
  while (!isMoved(pgOf(slice))) slice = (slice + 1) as SliceId;
  await session.commit({
    ino: attr.ino,
    extents: [{ chunk: 0, posInChunk: 0, lengthBytes: BYTES, slice, pool: DEFAULT_POOL, epoch }],
    minSizeBytes: BYTES,
    mtime: { sec: 1, nsec: 0 },
    killPrivileges: false,
    durable: false,
  });
  return pgOf(slice);
}

test("a commit of blocks that were placed before the last look is looked at again", async (t) => {
  const { meta, before } = await grown();
  t.deepEqual(meta.cluster.groups.dirty(), []);
  const group = { pool: DEFAULT_POOL, pg: await commitMoved(meta, before) };
  t.deepEqual(meta.cluster.groups.dirty(), [group]);
  const { doubts } = meta.cluster.groups.concernsOf(group);
  t.deepEqual(
    doubts.map(({ node, verify }) => [node, verify]),
    [[nodeId(7), false]],
  );
});

test("a commit of blocks that were placed by the present map raises no doubt", async (t) => {
  const { meta } = await grown();
  await commitMoved(meta, meta.cluster.current().epoch);
  t.deepEqual(meta.cluster.groups.dirty(), []);
});

test("by a map that nobody has any more, no home is believed to have the block", async (t) => {
  const { meta } = await grown();
  const pg = await commitMoved(meta, 0 as Epoch);
  const { doubts } = meta.cluster.groups.concernsOf({ pool: DEFAULT_POOL, pg });
  t.is(doubts.length, present(meta.cluster.current().pools[0]).k + 2);
});

test("a home that was another's in between is doubted though it was the first's", async (t) => {
  const meta = await openLocalMeta();
  await join(meta, 6);
  await writeSomething(meta);
  const { epoch: before } = meta.cluster.current();
  await leave(meta, 2);
  await beat(meta, 2);
  await register(meta, 7);
  await settleGroups(meta);
  const group = { pool: DEFAULT_POOL, pg: await commitMoved(meta, before) };
  const doubted = meta.cluster.groups.concernsOf(group).doubts.map(({ node }) => node);
  const map = meta.cluster.current();
  const homes = homeNodes(map, poolOf(map, DEFAULT_POOL), group.pg).map((home) => home?.id);
  t.is(doubted.includes(nodeId(2)), homes.includes(nodeId(2)));
  t.true(doubted.includes(nodeId(7)));
  t.true(doubted.length < homes.length, "nothing has moved at the others");
});
