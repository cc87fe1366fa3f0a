// Placement: determinism, balance, zones, movement, doubling up, and where writers and readers go.
import test from "ava";
import fc from "fast-check";
import type { ClusterMap, MapNode, NodeState, Pool } from "../domain/cluster-map.ts";
import type { Epoch, NodeId, PoolId, SliceId } from "../domain/ids.ts";
import {
  homeNodes,
  placementGroupOf,
  readCandidates,
  replacementNode,
  writeTargets,
} from "./placement.ts";
import { present } from "../testing/present.ts";

const POOL: Pool = { id: 1 as PoolId, name: "default", k: 4, m: 2, pgCount: 4096 };
const SLOTS = POOL.k + POOL.m;

function nodeOf(number: number, rest: Partial<MapNode> = {}): MapNode {
  const id = number.toString(16).padStart(12, "0") as NodeId;
  return { id, url: `http://${id}`, weight: 100, zone: "", state: "up", ...rest };
}

/** Nodes 1…count. */
function nodesOf(
  count: number,
  rest: (number: number) => Partial<MapNode> = () => ({}),
): MapNode[] {
  return Array.from({ length: count }, (_, at) => nodeOf(at + 1, rest(at + 1)));
}

function mapOf(nodes: readonly MapNode[], pool = POOL): ClusterMap {
  return { epoch: 1 as Epoch, nodes, pools: [pool] };
}

function withState(nodes: readonly MapNode[], state: NodeState, ...numbers: number[]): MapNode[] {
  const ids = numbers.map((number) => nodeOf(number).id);
  return nodes.map((node) => (ids.includes(node.id) ? { ...node, state } : node));
}

function groups(pool = POOL): number[] {
  return Array.from({ length: pool.pgCount }, (_, pg) => pg);
}

type Place = (map: ClusterMap, pool: Pool, pg: number) => readonly (MapNode | undefined)[];

function idsOf(place: Place, map: ClusterMap, pg: number, pool = POOL): (NodeId | undefined)[] {
  return place(map, pool, pg).map((node) => node?.id);
}

/** How many times each of the keys occurs. */
function tally<T>(keys: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

function most(keys: readonly unknown[]): number {
  return Math.max(...tally(keys).values());
}

/** Slots of all groups whose home differs between two maps. */
function movedSlots(before: ClusterMap, after: ClusterMap): number {
  let moved = 0;
  for (const pg of groups()) {
    const then = idsOf(homeNodes, before, pg);
    const now = idsOf(homeNodes, after, pg);
    moved += now.filter((id, slot) => id !== then[slot]).length;
  }
  return moved;
}

/** Slots of all groups that the node keeps. */
function slotsOn(map: ClusterMap, id: NodeId): number {
  return groups().reduce(
    (sum, pg) => sum + idsOf(homeNodes, map, pg).filter((home) => home === id).length,
    0,
  );
}

const anyNodes = fc.uniqueArray(
  fc.record({
    number: fc.integer({ min: 1, max: 60 }),
    weight: fc.integer({ min: 1, max: 65_535 }),
    zone: fc.constantFrom("", "", "a", "b", "c", "d"),
    state: fc.constantFrom<NodeState>("up", "up", "up", "down", "out", "draining"),
  }),
  { selector: ({ number }) => number, minLength: 1, maxLength: 20 },
);
const anyMap = anyNodes.map((nodes) => mapOf(nodes.map((node) => nodeOf(node.number, node))));
const anyGroup = fc.nat(POOL.pgCount - 1);

test("the blocks of slices spread evenly over the placement groups", (t) => {
  const pool = { ...POOL, pgCount: 1024 };
  const counts = new Array<number>(1024).fill(0);
  const blocks = 1024 * 200;
  for (let at = 0; at < blocks; at++) {
    const pg = placementGroupOf(pool, (2 ** 40 + Math.floor(at / 16)) as SliceId, at % 16);
    counts[pg] = (counts[pg] ?? 0) + 1;
  }
  const chiSquare = counts.reduce((sum, count) => sum + (count - 200) ** 2 / 200, 0);
  // 1,023 degrees of freedom: mean 1,023, deviation 45.
  t.true(chiSquare < 1023 + 5 * 45, `chi-square ${chiSquare}`);
  t.is(tally(counts.map((count) => count > 0)).get(true), 1024);
});

test("a group lies in 0…pgCount-1 for every slice id and index", (t) => {
  const property = fc.property(
    fc.maxSafeNat(),
    fc.nat(15),
    fc.integer({ min: 1, max: 100_000 }),
    (slice, index, pgCount) => {
      const pg = placementGroupOf({ ...POOL, pgCount }, slice as SliceId, index);
      return Number.isInteger(pg) && pg >= 0 && pg < pgCount;
    },
  );
  t.notThrows(() => fc.assert(property));
});

test("the order of nodes in the map, their addresses and the epoch don't matter", (t) => {
  const property = fc.property(anyMap, anyGroup, fc.nat(), (map, pg, turn) => {
    const at = turn % map.nodes.length;
    const turned = [...map.nodes.slice(at), ...map.nodes.slice(0, at)].toReversed();
    const other: ClusterMap = {
      epoch: 77 as Epoch,
      nodes: turned.map((node) => ({ ...node, url: "http://elsewhere" })),
      pools: [POOL],
    };
    for (const place of [homeNodes, writeTargets]) {
      t.deepEqual(idsOf(place, map, pg), idsOf(place, other, pg));
    }
  });
  t.notThrows(() => fc.assert(property));
});

test("homes are up or down, targets up, and neither is missing while there is one", (t) => {
  const property = fc.property(anyMap, anyGroup, (map, pg) => {
    const isThere = (...states: NodeState[]): boolean =>
      map.nodes.some((node) => states.includes(node.state));
    const homes = homeNodes(map, POOL, pg).map((node) => node?.state);
    const targets = writeTargets(map, POOL, pg).map((node) => node?.state);
    t.is(homes.length, SLOTS);
    t.is(targets.length, SLOTS);
    t.true(
      homes.every((state) => (isThere("up", "down") ? state === "up" || state === "down" : !state)),
    );
    t.true(targets.every((state) => (isThere("up") ? state === "up" : !state)));
  });
  t.notThrows(() => fc.assert(property));
});

test("no node has more than ceil(slots / nodes) slots of a group, whatever the weights", (t) => {
  const property = fc.property(anyMap, anyGroup, (map, pg) => {
    const atMost = (count: number): number => Math.ceil(SLOTS / count);
    const usable = map.nodes.filter(({ state }) => state === "up" || state === "down").length;
    const up = map.nodes.filter(({ state }) => state === "up").length;
    if (usable > 0) t.true(most(idsOf(homeNodes, map, pg)) <= atMost(usable));
    if (up > 0) t.true(most(idsOf(writeTargets, map, pg)) <= atMost(up));
  });
  t.notThrows(() => fc.assert(property, { numRuns: 500 }));
});

test("nodes of equal weight get equal shares", (t) => {
  for (const count of [6, 7, 12, 30]) {
    const map = mapOf(nodesOf(count));
    const counts = map.nodes.map(({ id }) => slotsOn(map, id));
    const expected = (SLOTS * POOL.pgCount) / count;
    for (const slots of counts) t.true(Math.abs(slots / expected - 1) < 0.1, `${count}: ${slots}`);
  }
});

test("shares follow weights of 1:2:4 where there are nodes enough to choose from", (t) => {
  const pool = { ...POOL, pgCount: 16_384 };
  const map = mapOf(
    nodesOf(48, (number) => ({ weight: [100, 200, 400][number % 3] ?? 0 })),
    pool,
  );
  const weightOf = new Map(map.nodes.map((node) => [node.id, node.weight]));
  const counts = tally(
    groups(pool).flatMap((pg) =>
      idsOf(homeNodes, map, pg, pool).map((id) => id && weightOf.get(id)),
    ),
  );
  const unit = (pool.pgCount * SLOTS) / 7;
  for (const [weight, share] of [
    [100, 1],
    [200, 2],
    [400, 4],
  ] as const) {
    const ratio = (counts.get(weight) ?? 0) / (unit * share);
    // A node can have one slot of a group only, so that heavy ones stay a little below.
    t.true(ratio > 0.94 && ratio < 1.08, `weight ${weight}: ${ratio}`);
  }
});

test("one slot's draw alone is in exact proportion to weight", (t) => {
  const pool = { ...POOL, k: 1, m: 0, pgCount: 16_384 };
  const map = mapOf(
    nodesOf(3, (number) => ({ weight: [1, 2, 4][number - 1] ?? 0 })),
    pool,
  );
  const counts = tally(groups(pool).flatMap((pg) => idsOf(homeNodes, map, pg, pool)));
  const chiSquare = map.nodes.reduce((sum, { id, weight }) => {
    const expected = (pool.pgCount * weight) / 7;
    return sum + ((counts.get(id) ?? 0) - expected) ** 2 / expected;
  }, 0);
  // Two degrees of freedom: above 13.8 once in a thousand.
  t.true(chiSquare < 13.8, `chi-square ${chiSquare}`);
});

test("with as many zones as slots no two shards of a stripe share one", (t) => {
  const map = mapOf(nodesOf(20, (number) => ({ zone: `z${number % 6}`, weight: number * 10 })));
  for (const pg of groups()) t.is(most(homeNodes(map, POOL, pg).map((node) => node?.zone)), 1);
});

test("with fewer zones no zone has more than ceil(slots / zones) shards", (t) => {
  for (const zones of [2, 3, 4, 5]) {
    const map = mapOf(nodesOf(zones * 4, (number) => ({ zone: `z${number % zones}` })));
    const atMost = Math.ceil(SLOTS / zones);
    for (const pg of groups()) {
      t.true(most(homeNodes(map, POOL, pg).map((node) => node?.zone)) <= atMost);
    }
  }
});

test("distinct nodes go before even zones", (t) => {
  const map = mapOf(nodesOf(6, (number) => ({ zone: number === 1 ? "small" : "large" })));
  for (const pg of groups()) t.is(new Set(idsOf(homeNodes, map, pg)).size, 6);
});

test("a node that goes out or drains moves its own slots and nothing else", (t) => {
  for (const state of ["out", "draining"] as const) {
    for (const count of [3, 6, 7, 12]) {
      const before = mapOf(nodesOf(count, (number) => ({ zone: number % 2 ? "" : "a" })));
      const after = mapOf(withState(before.nodes, state, 2));
      t.is(movedSlots(before, after), slotsOn(before, nodeOf(2).id), `${state} of ${count}`);
    }
  }
});

test("a node that joins or is removed moves little more than its share", (t) => {
  // Slots that move for each that must: some slots change places, fewer the more nodes there are.
  for (const [count, bound] of [
    [6, 1.75],
    [7, 1.55],
    [9, 1.35],
    [12, 1.25],
    [24, 1.12],
  ] as const) {
    const all = mapOf(nodesOf(count));
    const without = mapOf(nodesOf(count).filter((node) => node.id !== nodeOf(3).id));
    const ratio = movedSlots(all, without) / slotsOn(all, nodeOf(3).id);
    t.log(`${count} nodes: ${ratio.toFixed(2)} times the least`);
    t.true(ratio >= 1 && ratio < bound, `${count} nodes: ${ratio}`);
  }
});

test("a change of weight moves about the difference of the shares", (t) => {
  const before = mapOf(nodesOf(24));
  const after = mapOf(nodesOf(24, (number) => ({ weight: number === 5 ? 200 : 100 })));
  const gained = slotsOn(after, nodeOf(5).id) - slotsOn(before, nodeOf(5).id);
  t.true(gained > 0);
  const ratio = movedSlots(before, after) / gained;
  t.true(ratio >= 1 && ratio < 1.3, `${ratio} times the least`);
});

test("below six nodes slots double up evenly, so that three nodes survive one loss", (t) => {
  const expected = [[6], [3, 3], [2, 2, 2], [1, 1, 2, 2], [1, 1, 1, 1, 2], [1, 1, 1, 1, 1, 1]];
  expected.forEach((counts, at) => {
    const map = mapOf(nodesOf(at + 1, (number) => ({ weight: number * number * 50 })));
    for (const pg of groups()) {
      const homes = idsOf(homeNodes, map, pg);
      t.deepEqual(
        [...tally(homes).values()].toSorted((a, b) => a - b),
        counts,
      );
    }
  });
});

test("with two of six down the four others take the writes, two slots each at most", (t) => {
  const before = mapOf(nodesOf(6));
  const map = mapOf(withState(before.nodes, "down", 2, 5));
  for (const pg of groups()) {
    t.deepEqual(idsOf(homeNodes, map, pg), idsOf(homeNodes, before, pg), "down nodes keep homes");
    const homes = homeNodes(map, POOL, pg);
    const targets = writeTargets(map, POOL, pg);
    t.is(most(targets), 2);
    t.is(new Set(targets).size, 4);
    homes.forEach((home, slot) => {
      if (home?.state === "up") t.is(targets[slot], home);
      else t.is(present(targets[slot]).state, "up");
    });
  }
});

test("without a usable node every slot is empty", (t) => {
  const map = mapOf(withState(nodesOf(2), "out", 1, 2));
  const nobody = new Array<undefined>(SLOTS).fill(undefined);
  t.deepEqual(homeNodes(map, POOL, 0), nobody);
  t.deepEqual(writeTargets(mapOf(withState(nodesOf(2), "down", 1, 2)), POOL, 0), nobody);
  t.deepEqual(homeNodes(mapOf([]), POOL, 0), nobody);
  t.is(replacementNode(mapOf([]), POOL, 0, 0, new Set(), new Map()), undefined);
});

test("a replacement is a node that holds none of the stripe while there is one", (t) => {
  const map = mapOf(nodesOf(8));
  for (const pg of groups()) {
    const targets = writeTargets(map, POOL, pg);
    const failed = present(targets[2]);
    const others = targets.filter((node) => node !== failed).map((node) => present(node).id);
    const excluded = new Set([failed.id]);
    const node = present(replacementNode(map, POOL, pg, 2, excluded, tally(others)));
    t.false(targets.includes(node));
    const taken = [...idsOf(writeTargets, map, pg), node.id];
    const spare = present(map.nodes.find(({ id }) => !taken.includes(id)));
    excluded.add(node.id);
    const second = replacementNode(map, POOL, pg, 2, excluded, tally(others));
    t.is(present(second).id, spare.id);
  }
});

test("a replacement doubles up when it must, up to ceil(slots / usable nodes) slots", (t) => {
  const map = mapOf(nodesOf(6));
  const [lost, ...kept] = map.nodes.map(({ id }) => id);
  const excluded = new Set(lost === undefined ? [] : [lost]);
  const taken = tally(kept);
  const node = replacementNode(map, POOL, 9, 0, excluded, taken);
  t.true(node !== undefined && kept.includes(node.id));
  const full = new Map(kept.map((id) => [id, 2]));
  t.is(replacementNode(map, POOL, 9, 0, excluded, full), undefined);
});

test("a replacement prefers a zone with fewer shards of the stripe", (t) => {
  const map = mapOf(nodesOf(9, (number) => ({ zone: ["a", "b", "c"][number % 3] ?? "" })));
  const taken = new Map(
    map.nodes.filter(({ zone }, at) => zone !== "b" && at < 6).map(({ id }) => [id, 1]),
  );
  for (const pg of groups().slice(0, 200)) {
    t.is(present(replacementNode(map, POOL, pg, 1, new Set(), taken)).zone, "b");
  }
});

test("readers find each shard where any map of the history had it put, each node once", (t) => {
  const oldest = mapOf(nodesOf(6));
  const older = mapOf(withState(nodesOf(7), "down", 2));
  const current = mapOf(withState(withState(nodesOf(8), "out", 2), "down", 4));
  const maps = { current, older: [older, oldest] };
  for (const pg of groups()) {
    const candidates = readCandidates(maps, POOL, pg);
    t.is(candidates.length, SLOTS);
    for (let slot = 0; slot < SLOTS; slot++) {
      const ids = present(candidates[slot]).map(({ id }) => id);
      t.is(new Set(ids).size, ids.length);
      for (const map of [current, older, oldest]) {
        for (const place of [homeNodes, writeTargets]) {
          t.true(ids.includes(present(place(map, POOL, pg)[slot]).id));
        }
      }
      const states = present(candidates[slot]).map(({ state }) => state);
      const order = states.map((state) => ["up", "down", "out"].indexOf(state));
      t.deepEqual(order, order.toSorted(), "up, then down, then out");
      const home = homeNodes(current, POOL, pg)[slot];
      if (home?.state === "up") t.is(present(candidates[slot])[0], home, "the home comes first");
    }
  }
});

test("readers get nodes as the current map has them, removed ones last", (t) => {
  const before = mapOf(nodesOf(7));
  const moved = nodesOf(6).map((node) => ({ ...node, url: "http://new" }));
  const maps = { current: mapOf(moved), older: [before] };
  const gone = nodeOf(7).id;
  let isSeen = false;
  for (const pg of groups()) {
    for (const nodes of readCandidates(maps, POOL, pg)) {
      const at = nodes.findIndex(({ id }) => id === gone);
      if (at >= 0) t.is(at, nodes.length - 1);
      isSeen ||= at >= 0;
      t.true(nodes.every(({ id, url }) => id === gone || url === "http://new"));
    }
  }
  t.true(isSeen);
});

test("pools of different ids and policies are placed apart", (t) => {
  const map = mapOf(nodesOf(12));
  const other: Pool = { ...POOL, id: 2 as PoolId };
  const wide: Pool = { ...POOL, k: 6, m: 3 };
  const differing = groups().filter(
    (pg) => idsOf(homeNodes, map, pg).join() !== idsOf(homeNodes, map, pg, other).join(),
  );
  t.true(differing.length > POOL.pgCount * 0.99);
  t.is(homeNodes(map, wide, 0).length, 9);
  t.is(homeNodes(map, POOL, 0).length, 6);
});
