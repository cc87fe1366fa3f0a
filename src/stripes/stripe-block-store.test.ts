// The promises of BlockStore, kept by stripes over storage nodes in memory.
import test from "ava";
import { ShardCluster } from "../testing/shard/shard-cluster.ts";
import { testBlockStore } from "../testing/stripes/block-store-conformance.ts";

testBlockStore(test, "six nodes", async () => new ShardCluster().store());
testBlockStore(test, "one node", async () => new ShardCluster({ nodes: 1 }).store());

testBlockStore(test, "two of six nodes down", async () => {
  const cluster = new ShardCluster();
  for (const node of cluster.nodes.slice(0, 2)) {
    node.kill();
    cluster.setState(node.id, "down");
  }
  return cluster.store();
});
