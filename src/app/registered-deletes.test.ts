import test from "ava";
import { MemoryShardService } from "../testing/shard/shard-memory.ts";
import {
  payloadOf,
  putShard,
  shardId,
  testShardService,
} from "../testing/shard/shard-service-conformance.ts";
import { onlyRegisteredDelete } from "./registered-deletes.ts";

function closable(memory: MemoryShardService) {
  return Object.assign(memory, { close: async () => undefined });
}

testShardService(test, "of a registered node", async () => {
  const service = onlyRegisteredDelete(closable(new MemoryShardService()), () => true);
  return { service, close: () => service.close() };
});

test("a node is told to delete only while it is registered", async (t) => {
  const memory = new MemoryShardService();
  let isRegistered = false;
  const service = onlyRegisteredDelete(closable(memory), () => isRegistered);
  await putShard(service, shardId(1), payloadOf(64));
  await t.throwsAsync(service.deleteMany([shardId(1)]), { code: "EAGAIN" });
  t.is(memory.ids.length, 1);
  isRegistered = true;
  await service.deleteMany([shardId(1)]);
  t.is(memory.ids.length, 0);
});
