// Whole storage nodes: registration, restarts, kill -9, rebuilds between them.
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer } from "node:net";
import test, { type ExecutionContext } from "ava";
import { StripeCodec } from "../codec/stripe-codec.ts";
import { isFsError } from "../domain/errno.ts";
import type { NodeId, ShardId } from "../domain/ids.ts";
import { CELL_BYTES } from "../domain/format.ts";
import { silentLog } from "../observability/log.ts";
import { HttpShardService } from "../protocol/shard/shard-http-client.ts";
import type { ShardPayload, ShardSource } from "../protocol/shard/shard-service.ts";
import { FakeClock } from "../testing/fake-clock.ts";
import { FakeMetaApi } from "../testing/meta/fake-meta-api.ts";
import { flipByte, makeTempDir, shardFile } from "../testing/shard/shard-node.ts";
import {
  payloadOf,
  putShard,
  readShard,
  rejectsWith,
  shardId,
  verdictOf,
} from "../testing/shard/shard-service-conformance.ts";
import { startNodeProcess } from "../testing/shard/storage-node-process.ts";
import { startStorageNode, type RunningNode, type StorageNodeOptions } from "./storage-node.ts";
import { present } from "../testing/present.ts";

async function tempDir(t: ExecutionContext): Promise<string> {
  const directory = await makeTempDir();
  t.teardown(() => rm(directory, { recursive: true }));
  return directory;
}

async function startMeta(t: ExecutionContext): Promise<FakeMetaApi> {
  const meta = await FakeMetaApi.start();
  t.teardown(() => meta.close());
  return meta;
}

function serviceOf(meta: FakeMetaApi, { id, url }: { id: NodeId; url: string }): HttpShardService {
  return new HttpShardService(url, { clock: new FakeClock(), cluster: meta.clusterId, node: id });
}

async function startNode(
  t: ExecutionContext,
  meta: FakeMetaApi,
  options: Partial<StorageNodeOptions> = {},
): Promise<RunningNode & { dataDir: string; service: HttpShardService }> {
  const dataDir = options.dataDir ?? (await tempDir(t));
  const log = silentLog;
  const node = await startStorageNode({ metaUrl: meta.url, dataDir, log, ...options });
  const service = serviceOf(meta, node);
  t.teardown(async () => {
    await service.close();
    await node.close();
  });
  return { ...node, dataDir, service };
}

test("a node registers with what it was given and then sends heartbeats", async (t) => {
  const meta = await startMeta(t);
  const options = { zone: "rack-1", weight: 50, capacityBytes: 10_000_000 };
  const node = await startNode(t, meta, options);
  t.like(meta.nodes.get(node.id), { ...options, url: node.url, usedBytes: 0 });
  await putShard(node.service, shardId(1), payloadOf(64));
  const beat = await meta.next("heartbeat");
  t.like(beat, { capacityBytes: 10_000_000 });
  t.regex(node.id, /^[0-9a-f]{12}$/);
});

test("a node that the server has forgotten registers again", async (t) => {
  const meta = await startMeta(t);
  const node = await startNode(t, meta);
  meta.nodes.clear();
  await meta.next("registered");
  t.true(meta.nodes.has(node.id));
});

test("a restarted node has its name, port, cluster and settings again", async (t) => {
  const meta = await startMeta(t);
  const dataDir = await tempDir(t);
  const first = await startNode(t, meta, { dataDir, zone: "z", capacityBytes: 5_000_000 });
  await first.close();
  const again = await startNode(t, meta, { dataDir });
  t.is(again.id, first.id);
  t.is(again.url, first.url);
  t.like(meta.nodes.get(first.id), {
    zone: "z",
    capacityBytes: 5_000_000,
    clusterId: meta.clusterId,
  });
});

test("a node whose port was taken meanwhile takes another", async (t) => {
  const meta = await startMeta(t);
  const dataDir = await tempDir(t);
  const first = await startNode(t, meta, { dataDir });
  await first.close();
  const squatter = createServer().listen(Number(new URL(first.url).port), "127.0.0.1");
  await once(squatter, "listening");
  t.teardown(() => squatter.close());
  const again = await startNode(t, meta, { dataDir });
  t.not(again.url, first.url);
  const port = Number(new URL(first.url).port);
  await rejectsWith(t, "EBUSY", startNode(t, meta, { port }));
});

test("a node of another cluster doesn't start", async (t) => {
  const meta = await startMeta(t);
  const node = await startNode(t, meta);
  await node.close();
  meta.clusterId = "cluster-2";
  const error = await t.throwsAsync(startNode(t, meta, { dataDir: node.dataDir }));
  t.true(isFsError(error, "EPERM"));
  t.regex(error.message, /belongs to cluster-1/);
});

test("a node serves while the metadata server is away and registers when it is back", async (t) => {
  const meta = await FakeMetaApi.start();
  const { port } = meta;
  const before = await startNode(t, meta);
  await before.close();
  await meta.close();
  const node = await startNode(t, meta, { dataDir: before.dataDir });
  await putShard(node.service, shardId(1), payloadOf(64));
  t.is((await node.service.stats()).shards, 1);
  const back = await FakeMetaApi.start(port);
  t.teardown(() => back.close());
  await back.next("registered");
  t.true(back.nodes.has(node.id));
});

test("a second process on the same data directory is refused", async (t) => {
  const meta = await startMeta(t);
  const dataDir = await tempDir(t);
  const process = await startNodeProcess(meta.url, dataDir);
  await rejectsWith(t, "EBUSY", startStorageNode({ metaUrl: meta.url, dataDir, log: silentLog }));
  await t.throwsAsync(startNodeProcess(meta.url, dataDir), { message: /in use/ });
  await process.kill();
  const after = await startNodeProcess(meta.url, dataDir);
  t.is(after.id, process.id);
  await after.kill("SIGTERM");
});

test("kill -9 in mid-work loses no acknowledged shard and brings none half-written", async (t) => {
  const meta = await startMeta(t);
  const dataDir = await tempDir(t);
  const sizes = [64, 4096, CELL_BYTES, CELL_BYTES + 8, 1024 * 1024];
  const payloads = sizes.map((size) => payloadOf(size, size));
  const acknowledged: { id: ShardId; payload: ShardPayload }[] = [];
  let slice = 1;
  for (let round = 0; round < 3; round++) {
    const node = await startNodeProcess(meta.url, dataDir);
    const service = serviceOf(meta, node);
    const goal = acknowledged.length + 40;
    let killing: Promise<void> | undefined;
    const work = async (): Promise<void> => {
      for (;;) {
        const id = shardId(slice, { pg: slice % 16 });
        const payload = present(payloads[slice++ % payloads.length]);
        try {
          await putShard(service, id, payload);
        } catch {
          return;
        }
        acknowledged.push({ id, payload });
        if (acknowledged.length >= goal) killing ??= node.kill();
      }
    };
    await Promise.all(Array.from({ length: 8 }, work));
    await killing;
    await service.close();
  }
  const node = await startNode(t, meta, { dataDir });
  for (const { id, payload } of acknowledged) {
    const { bytes, cellCrcs } = await readShard(node.service, id);
    t.is(Buffer.compare(bytes, payload.bytes), 0);
    t.deepEqual(cellCrcs, payload.cellCrcs);
    t.is(await verdictOf(node.service, id), "secure");
  }
  const verdicts = await node.service.secure(
    acknowledged.map(({ id }) => id),
    "unseen",
  );
  t.true(verdicts.every((verdict) => verdict === "secure"));
  const { shards } = await node.service.stats();
  t.true(shards >= acknowledged.length && shards <= slice);
});

test("a corrupt shard that a client points at is quarantined and reported", async (t) => {
  const meta = await startMeta(t);
  const node = await startNode(t, meta);
  await putShard(node.service, shardId(1), payloadOf(2 * CELL_BYTES));
  await flipByte(shardFile(node.dataDir, shardId(1)), 70_000);
  const reported = meta.next("damage");
  t.is(await verdictOf(node.service, shardId(1)), "spoilt");
  await rejectsWith(t, "ENOENT", node.service.head(shardId(1)));
  const damage = await reported;
  t.like(damage, { reports: [{ shard: "1-7-1-0-0", kind: "corrupt" }] });
});

test("the node's own scrub finds a corrupt shard and reports it", async (t) => {
  const meta = await startMeta(t);
  const first = await startNode(t, meta, { scrubBytesPerSecond: 0 });
  await putShard(first.service, shardId(1), payloadOf(64));
  await putShard(first.service, shardId(2), payloadOf(2 * CELL_BYTES));
  await first.close();
  await flipByte(shardFile(first.dataDir, shardId(2)), 5);
  const reported = meta.next("damage");
  const again = await startNode(t, meta, { dataDir: first.dataDir, scrubBytesPerSecond: 1e9 });
  const damage = await reported;
  t.like(damage, { reports: [{ shard: "1-7-2-0-0", kind: "corrupt" }] });
  t.like(await again.service.stats(), { shards: 1, quarantined: 1 });
});

/** Six nodes, each with one shard of a 4+2 stripe. */
async function startStripe(
  t: ExecutionContext,
  blockBytes: number,
): Promise<{
  nodes: Awaited<ReturnType<typeof startNode>>[];
  shards: ShardPayload[];
  sources: ShardSource[];
}> {
  const meta = await startMeta(t);
  const stripe = await new StripeCodec({ k: 4, m: 2 }).encode(payloadOf(blockBytes).bytes);
  const shards = stripe.shards.map((bytes, slot) => ({
    bytes: bytes.slice(),
    cellCrcs: present(stripe.cellCrcs[slot]),
  }));
  stripe.release();
  const nodes = await Promise.all(shards.map(() => startNode(t, meta)));
  for (const [slot, payload] of shards.entries()) {
    await putShard(present(nodes[slot]).service, shardId(1, { slot }), payload);
  }
  return { nodes, shards, sources: nodes.map(({ id: node, url }, slot) => ({ slot, url, node })) };
}

async function rebuiltIs(
  t: ExecutionContext,
  service: HttpShardService,
  slot: number,
  shards: readonly ShardPayload[],
): Promise<void> {
  const rebuilt = await readShard(service, shardId(1, { slot }));
  t.is(Buffer.compare(rebuilt.bytes, present(shards[slot]).bytes), 0, `slot ${slot}`);
  t.deepEqual(rebuilt.cellCrcs, present(shards[slot]).cellCrcs);
  t.is(await verdictOf(service, shardId(1, { slot })), "secure");
}

const POLICY = { k: 4, m: 2 };

test("a node copies a shard from a peer that has it", async (t) => {
  const { nodes, shards, sources } = await startStripe(t, 1_000_000);
  const target = present(nodes[0]);
  const id = shardId(1, { slot: 3 });
  const info = await target.service.rebuild({
    id,
    policy: POLICY,
    sources: [present(sources[3])],
  });
  t.is(info.sizeBytes, present(shards[3]).bytes.length);
  await rebuiltIs(t, target.service, 3, shards);
});

test("a shard that no stripe of the policy has is refused, and the node goes on", async (t) => {
  const { nodes, shards, sources } = await startStripe(t, 700_001);
  const target = present(nodes[0]);
  const request = { id: shardId(1, { slot: 6 }), policy: POLICY, sources };
  await rejectsWith(t, "EINVAL", target.service.rebuild(request));
  await target.service.deleteMany([shardId(1, { slot: 0 })]);
  await target.service.rebuild({ ...request, id: shardId(1, { slot: 0 }) });
  await rebuiltIs(t, target.service, 0, shards);
});

test("a node decodes any shard from k others, dead, spoilt and lost sources aside", async (t) => {
  for (const blockBytes of [4 * 1024 * 1024, 700_001]) {
    const { nodes, shards, sources } = await startStripe(t, blockBytes);
    for (const slot of [1, 5]) {
      const node = present(nodes[slot]);
      const others = sources.filter((source) => source.slot !== slot);
      await node.service.deleteMany([shardId(1, { slot })]);
      await node.service.rebuild({ id: shardId(1, { slot }), policy: POLICY, sources: others });
      await rebuiltIs(t, node.service, slot, shards);
    }
    const node = present(nodes[0]);
    const spoilt = present(nodes[1]);
    await node.service.deleteMany([shardId(1, { slot: 0 })]);
    await flipByte(shardFile(spoilt.dataDir, shardId(1, { slot: 1 })), 3);
    const request = { id: shardId(1, { slot: 0 }), policy: POLICY, sources: sources.slice(1) };
    await node.service.rebuild(request);
    await rebuiltIs(t, node.service, 0, shards);
    await node.service.deleteMany([shardId(1, { slot: 0 })]);
    await present(nodes[2]).close();
    await rejectsWith(t, "EIO", node.service.rebuild(request));
    await rejectsWith(t, "ENOENT", node.service.head(request.id));
  }
});
