import test from "ava";
import type { NodeId } from "../domain/ids.ts";
import { canStandWellEnough, standsWellEnough, type WriteCircumstances } from "./write-rule.ts";

function around(over: Partial<WriteCircumstances> = {}): WriteCircumstances {
  const policy = { k: 4, m: 2 };
  return { policy, upNodes: 6, usableNodes: 6, ...over };
}

/** One letter a slot names its node, "-" none. */
function on(nodes: string): (NodeId | undefined)[] {
  return Array.from(nodes, (letter) => (letter === "-" ? undefined : (letter as NodeId)));
}

test("with six nodes five shards on five of them are enough, four are not", (t) => {
  t.true(standsWellEnough(on("abcdef"), around()));
  t.true(standsWellEnough(on("abcde-"), around()));
  t.false(standsWellEnough(on("abcd--"), around()));
  t.false(standsWellEnough(on("aacde-"), around()));
});

test("with fewer usable nodes the loss of any one must still leave k", (t) => {
  t.true(standsWellEnough(on("aabbcd"), around({ usableNodes: 4 })));
  t.false(standsWellEnough(on("aabcd-"), around({ usableNodes: 4 })));
  t.true(standsWellEnough(on("aabbcc"), around({ usableNodes: 3 })));
  t.false(standsWellEnough(on("aaabbc"), around({ usableNodes: 3 })));
});

test("where nodes are too few to survive a loss k + 1 shards are asked for", (t) => {
  t.true(standsWellEnough(on("aaaaaa"), around({ upNodes: 1, usableNodes: 1 })));
  t.true(standsWellEnough(on("aaabb-"), around({ upNodes: 2, usableNodes: 2 })));
  t.false(standsWellEnough(on("aaaa--"), around({ upNodes: 1, usableNodes: 1 })));
  t.true(standsWellEnough(on("aaabbb"), around({ upNodes: 3, usableNodes: 2 })));
});

test("a client that finds more than m of the nodes unusable doesn't lower the rule", (t) => {
  t.false(standsWellEnough(on("aaabbb"), around({ usableNodes: 2 })));
  t.false(canStandWellEnough(around({ usableNodes: 2 })));
  t.true(canStandWellEnough(around({ usableNodes: 3 })));
  t.true(canStandWellEnough(around({ upNodes: 2, usableNodes: 2 })));
  t.false(canStandWellEnough(around({ usableNodes: 0 })));
});

test("a policy with one parity shard needs them all", (t) => {
  const policy = { k: 2, m: 1 };
  t.true(standsWellEnough(on("abc"), around({ policy })));
  t.false(standsWellEnough(on("ab-"), around({ policy })));
  t.true(standsWellEnough(on("aab"), around({ policy, upNodes: 3, usableNodes: 2 })));
});
