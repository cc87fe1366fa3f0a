// Fixed placements. When this fails, data that was stored before is looked for in the wrong places:
// don't change the vectors.
import test from "ava";
import type { ClusterMap, MapNode, Pool } from "../domain/cluster-map.ts";
import type { Epoch, NodeId, PoolId, SliceId } from "../domain/ids.ts";
import { negativeLog2 } from "./draw.ts";
import { homeNodes, placementGroupOf, writeTargets } from "./placement.ts";

const POOL: Pool = { id: 1 as PoolId, name: "default", k: 4, m: 2, pgCount: 1024 };
const WIDE: Pool = { id: 7 as PoolId, name: "wide", k: 6, m: 3, pgCount: 1000 };

/** `[id, weight, zone, state]` a node. */
function mapOf(...nodes: [string, number, string, MapNode["state"]][]): ClusterMap {
  return {
    epoch: 1 as Epoch,
    nodes: nodes.map(([id, weight, zone, state]) => ({
      id: id as NodeId,
      url: "",
      weight,
      zone,
      state,
    })),
    pools: [POOL, WIDE],
  };
}

const SIX = mapOf(
  ["1f3a5c7e9b0d", 100, "", "up"],
  ["2b4d6f8091a3", 100, "", "up"],
  ["3c5e708192b4", 100, "", "up"],
  ["4d6f8192a3c5", 100, "", "up"],
  ["5e708192a3b4", 100, "", "up"],
  ["6f8192a3b4c5", 100, "", "up"],
);
const MIXED = mapOf(
  ["a00000000001", 100, "rack1", "up"],
  ["a00000000002", 200, "rack1", "down"],
  ["a00000000003", 400, "rack2", "up"],
  ["a00000000004", 65535, "rack2", "up"],
  ["a00000000005", 1, "rack3", "up"],
  ["a00000000006", 100, "rack3", "out"],
  ["a00000000007", 150, "", "up"],
  ["a00000000008", 100, "", "draining"],
);
const THREE = mapOf(["n1", 100, "", "up"], ["n2", 100, "", "up"], ["n3", 100, "", "up"]);

// What follows was written down when the rule was made: homes, then write targets, of groups 0, 1,
// 2, 3, 500 and the pool's last.
const GROUPS = [
  [783, 831],
  [852, 140],
  [164, 604],
  [635, 107],
  [69, 597],
  [829, 205],
  [343, 767],
];
const ON_SIX = [
  "546132 546132",
  "321465 321465",
  "165243 165243",
  "123654 123654",
  "234165 234165",
  "432156 432156",
];
const ON_SIX_WIDE = [
  "346422153 346422153",
  "345461512 345461512",
  "432156643 432156643",
  "156625234 156625234",
  "325635146 325635146",
  "431356264 431356264",
];
const ON_MIXED = [
  "274513 174513",
  "345172 345177",
  "153472 153471",
  "754312 754317",
  "143527 143577",
  "721354 711354",
];
const ON_MIXED_WIDE = [
  "727545431 717545431",
  "443157725 443157715",
  "317245574 317145574",
  "274754513 174754513",
  "741455723 741455713",
  "755137424 755137414",
];
const ON_THREE = [
  "121323 121323",
  "321132 321132",
  "232113 232113",
  "321312 321312",
  "221331 221331",
  "331122 331122",
];
const LOGS = [137438953472, 133143986176, 68719382372, 21992677292, 4294967296, 4294967294, 2];

/** One character of each id: nodes of a map differ in their first one or their last. */
function brief(nodes: readonly (MapNode | undefined)[], digit: number): string {
  return nodes.map((node) => node?.id.at(digit) ?? "-").join("");
}

function placements(map: ClusterMap, pool: Pool, digit: number): string[] {
  return [0, 1, 2, 3, 500, pool.pgCount - 1].map(
    (pg) =>
      `${brief(homeNodes(map, pool, pg), digit)} ${brief(writeTargets(map, pool, pg), digit)}`,
  );
}

test("blocks stay in the placement groups they were written to", (t) => {
  const blocks = [
    [1, 0],
    [1, 1],
    [2, 0],
    [255, 15],
    [2 ** 32 - 1, 3],
    [2 ** 32, 3],
    [Number.MAX_SAFE_INTEGER, 15],
  ] as const;
  const groups = blocks.map(([slice, index]) => [
    placementGroupOf(POOL, slice as SliceId, index),
    placementGroupOf(WIDE, slice as SliceId, index),
  ]);
  t.deepEqual(groups, GROUPS);
});

test("groups stay on the nodes they were written to", (t) => {
  t.deepEqual(placements(SIX, POOL, 0), ON_SIX);
  t.deepEqual(placements(SIX, WIDE, 0), ON_SIX_WIDE);
  t.deepEqual(placements(MIXED, POOL, -1), ON_MIXED);
  t.deepEqual(placements(MIXED, WIDE, -1), ON_MIXED_WIDE);
  t.deepEqual(placements(THREE, POOL, -1), ON_THREE);
});

test("the fixed-point logarithm is the same everywhere, and is one", (t) => {
  t.deepEqual(
    [0, 1, 2 ** 16, 123_456_789, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 2].map(negativeLog2),
    LOGS,
  );
  t.is(negativeLog2(2 ** 32 - 1), 0);
  let last = Number.POSITIVE_INFINITY;
  for (let uniform = 0; uniform < 2 ** 32; uniform += 104_729) {
    const log = negativeLog2(uniform);
    const exact = 32 - Math.log2(uniform + 1);
    if (log > last || Math.abs(log / 2 ** 32 - exact) > 3e-6) t.fail(`${uniform}: ${log}`);
    last = log;
  }
});
