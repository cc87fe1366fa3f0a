// Names of nodes in tests: that of the one node, of the one cluster, that most tests know, and that
// of a real node's directory.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CellSeal } from "../../codec/cell-seal.ts";
import type { NodeId } from "../../domain/ids.ts";
import type { NodeName } from "../../protocol/shard/node-name.ts";

export const TEST_CLUSTER = "cluster-1";
export const TEST_SEAL = new CellSeal(TEST_CLUSTER);
export const TEST_NAME: NodeName = { cluster: TEST_CLUSTER, node: "00000000000a" as NodeId };

/** Of the node that has registered with the data directory given. */
export async function nodeNameIn(dataDir: string): Promise<NodeName> {
  // What the node itself has written.
  const identity = JSON.parse(await readFile(join(dataDir, "node.json"), "utf8")) as {
    id: NodeId;
    clusterId: string;
  };
  return { cluster: identity.clusterId, node: identity.id };
}
