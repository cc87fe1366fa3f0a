import test from "ava";
import type { MapNode, NodeState } from "../domain/cluster-map.ts";
import type { NodeId } from "../domain/ids.ts";
import { confirmedEverywhere } from "./gc-progress.ts";

/** What nodes of these states and progress have confirmed, of deaths below 100. */
function confirmed(
  nodes: readonly (readonly [NodeState, number | undefined])[],
  most = 20,
): number {
  const progress = new Map<NodeId, number>();
  const mapNodes = nodes.map(([state, reached], at): MapNode => {
    const id = `node ${at}` as NodeId;
    if (reached !== undefined) progress.set(id, reached);
    return { id, url: "http://node.test", weight: 100, zone: "", state };
  });
  return confirmedEverywhere(mapNodes, progress, 100, most);
}

test("a tombstone waits for every node of the map, also for one that never answered", (t) => {
  t.is(
    confirmed([
      ["up", 100],
      ["down", 30],
      ["draining", 90],
    ]),
    30,
  );
  t.is(
    confirmed([
      ["up", 100],
      ["up", undefined],
    ]),
    0,
  );
  t.is(confirmed([["up", 170]]), 100);
  t.is(confirmed([]), 0);
});

test("so many tombstones wait for nodes that are out, and no more", (t) => {
  t.is(
    confirmed([
      ["up", 100],
      ["out", 95],
    ]),
    95,
  );
  t.is(
    confirmed([
      ["up", 100],
      ["out", 30],
    ]),
    80,
  );
  t.is(
    confirmed([
      ["up", 100],
      ["down", 50],
      ["out", 30],
    ]),
    50,
  );
  t.is(
    confirmed([
      ["out", 30],
      ["out", 40],
    ]),
    30,
  );
});
