// The in-memory node keeps what it promises to the tests that lean on it.
import test from "ava";
import { MemoryShardService } from "./shard-memory.ts";
import {
  payloadOf,
  putShard,
  rejectsWith,
  shardId,
  testShardService,
  verdictOf,
} from "./shard-service-conformance.ts";

testShardService(test, "memory", async () => ({
  service: new MemoryShardService(),
  close: async () => undefined,
}));

test("a full memory node refuses with ENOSPC", async (t) => {
  const service = new MemoryShardService({ capacityBytes: 100 });
  await putShard(service, shardId(1), payloadOf(64));
  await rejectsWith(t, "ENOSPC", putShard(service, shardId(2), payloadOf(64)));
});

test("a spoilt shard is quarantined when it is verified", async (t) => {
  const service = new MemoryShardService();
  await putShard(service, shardId(1), payloadOf(64));
  service.spoil(shardId(1));
  t.is(await verdictOf(service, shardId(1)), "spoilt");
  t.deepEqual(service.ids, []);
});
