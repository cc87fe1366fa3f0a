// The block store against real storage nodes: HTTP on loopback, files on disk.
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "ava";
import { PolicyCodecs } from "../codec/policy-codecs.ts";
import type { MapHistory, MapNode } from "../domain/cluster-map.ts";
import { isFsError } from "../domain/errno.ts";
import { DEFAULT_POOL, type Epoch, type NodeId, type SliceId } from "../domain/ids.ts";
import type { BlockRef } from "../domain/layout.ts";
import { BLOCK_BYTES } from "../domain/format.ts";
import { silentLog } from "../observability/log.ts";
import { systemClock } from "../platform/clock.ts";
import { SYSTEM } from "../testing/system.ts";
import type { NodeName } from "../protocol/shard/node-name.ts";
import { HttpShardService } from "../protocol/shard/shard-http-client.ts";
import { NodeServer } from "../storage/http/node-server.ts";
import { createShardApp } from "../storage/http/shard-server.ts";
import { ShardStore } from "../storage/shards/shard-store.ts";
import { TEST_CLUSTER } from "../testing/shard/test-name.ts";
import { blockBytes, sameBytes } from "../testing/shard/shard-cluster.ts";
import { StripeBlockStore } from "./stripe-block-store.ts";
import { present } from "../testing/present.ts";

class RealNode {
  readonly directory: string;
  readonly id: NodeId;
  readonly #store: ShardStore;
  #server: NodeServer;
  #mute: Server | undefined;
  readonly #muteSockets = new Set<Socket>();
  /** Requests for a shard that came while it was mute. */
  muteShardRequests = 0;

  private constructor(id: NodeId, directory: string, store: ShardStore, server: NodeServer) {
    this.id = id;
    this.directory = directory;
    this.#store = store;
    this.#server = server;
  }

  static async start(id: NodeId, directory: string): Promise<RealNode> {
    const store = await ShardStore.open({ ...SYSTEM, cluster: () => TEST_CLUSTER, directory });
    return new RealNode(id, directory, store, await listen(id, store, 0));
  }

  get port(): number {
    return this.#server.port;
  }

  /** Closes the port and every connection, as the end of the process does. */
  async die(): Promise<void> {
    await this.#server.close();
  }

  async restart(): Promise<void> {
    this.#server = await listen(this.id, this.#store, this.port);
  }

  /** Takes connections and requests and answers nothing, as a stopped process does. */
  async goMute(): Promise<void> {
    await this.die();
    this.#mute = createServer((socket) => {
      this.#muteSockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("data", (bytes) => {
        this.muteShardRequests += bytes.toString("latin1").split(/ \/shards\/\S+ HTTP/).length - 1;
      });
    });
    await new Promise<void>((resolve) =>
      present(this.#mute).listen(this.port, "127.0.0.1", resolve),
    );
  }

  async stop(): Promise<void> {
    for (const socket of this.#muteSockets) socket.destroy();
    this.#mute?.close();
    await this.die();
    await this.#store.close();
  }
}

function listen(node: NodeId, store: ShardStore, port: number): Promise<NodeServer> {
  const name = (): NodeName => ({ cluster: TEST_CLUSTER, node });
  const app = createShardApp({ store, clock: systemClock, log: silentLog, name });
  return NodeServer.listen(app, "127.0.0.1", port, systemClock);
}

class RealCluster implements AsyncDisposable {
  readonly nodes: readonly RealNode[];
  readonly store: StripeBlockStore;
  readonly #directory: string;

  private constructor(directory: string, nodes: readonly RealNode[]) {
    this.#directory = directory;
    this.nodes = nodes;
    const pool = { id: DEFAULT_POOL, name: "default", k: 4, m: 2, pgCount: 64 };
    const mapNodes = nodes.map(({ id, port }): MapNode => {
      return { id, url: `http://127.0.0.1:${port}`, weight: 100, zone: "", state: "up" };
    });
    const current = { epoch: 1 as Epoch, nodes: mapNodes, pools: [pool] };
    const maps: MapHistory = { current, older: [] };
    this.store = new StripeBlockStore({
      maps: () => maps,
      connect: (node) =>
        new HttpShardService(node.url, {
          clock: systemClock,
          cluster: TEST_CLUSTER,
          node: node.id,
        }),
      reportDamage: () => undefined,
      coding: new PolicyCodecs(),
      cluster: TEST_CLUSTER,
      clock: systemClock,
      log: silentLog,
    });
  }

  static async start(count: number): Promise<RealCluster> {
    const directory = await mkdtemp(join(tmpdir(), "dfs-client-"));
    const nodes = [];
    for (let at = 0; at < count; at++) {
      const id = at.toString(16).padStart(12, "0") as NodeId;
      nodes.push(await RealNode.start(id, join(directory, `node-${at}`)));
    }
    return new RealCluster(directory, nodes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
    for (const node of this.nodes) await node.stop();
    await rm(this.#directory, { recursive: true });
  }
}

function block(slice: number, lengthBytes: number): { ref: BlockRef; data: Uint8Array } {
  const ref = { pool: DEFAULT_POOL, slice: slice as SliceId, index: 0, lengthBytes };
  return { ref, data: blockBytes(lengthBytes, slice) };
}

async function isReadRight(store: StripeBlockStore, ref: BlockRef, data: Uint8Array) {
  const target = new Uint8Array(ref.lengthBytes);
  await store.readBlock(ref, 0, target);
  const range = new Uint8Array(Math.ceil(ref.lengthBytes / 3));
  await store.readBlock(ref, ref.lengthBytes - range.length, range);
  return sameBytes(target, data) && sameBytes(range, data.subarray(-range.length));
}

test("blocks of all sizes go to real nodes and come back, with two of them dead too", async (t) => {
  await using cluster = await RealCluster.start(6);
  const { store, nodes } = cluster;
  const blocks = [BLOCK_BYTES, 20_000, 1, 3_000_000, BLOCK_BYTES - 1].map((size, at) =>
    block(at + 1, size),
  );
  for (const { ref, data } of blocks) await store.putBlock(ref, data);
  await store.syncBlocks(blocks.map(({ ref }) => ref));
  for (const { ref, data } of blocks) t.true(await isReadRight(store, ref, data));
  await present(nodes[1]).die();
  await present(nodes[4]).die();
  for (const { ref, data } of blocks) t.true(await isReadRight(store, ref, data));
  const later = block(100, BLOCK_BYTES);
  await store.putBlock(later.ref, later.data);
  await store.syncBlocks([later.ref]);
  t.true(await isReadRight(store, later.ref, later.data));
  await present(nodes[0]).die();
  const error = await t.throwsAsync(isReadRight(store, present(blocks[0]).ref, later.data));
  t.true(isFsError(error, "EIO"));
  for (const at of [0, 1, 4]) await present(nodes[at]).restart();
  for (const { ref, data } of blocks) t.true(await isReadRight(store, ref, data));
});

test("real nodes that hang are read and written around, and then left out", async (t) => {
  await using cluster = await RealCluster.start(6);
  const { store, nodes } = cluster;
  const first = block(1, BLOCK_BYTES);
  await store.putBlock(first.ref, first.data);
  await present(nodes[0]).goMute();
  await present(nodes[3]).goMute();
  t.true(await isReadRight(store, first.ref, first.data));
  const again = block(2, BLOCK_BYTES);
  await store.putBlock(again.ref, again.data);
  // Probes go on, on connections of their own; soon shards are no longer asked of mute nodes.
  const asked = (): number =>
    [nodes[0], nodes[3]].reduce((sum, node) => sum + present(node).muteShardRequests, 0);
  t.true(asked() > 0);
  for (let slice = 3, before = -1; before !== asked(); slice++) {
    before = asked();
    const { ref, data } = block(slice, BLOCK_BYTES);
    await store.putBlock(ref, data);
    t.true(await isReadRight(store, ref, data));
  }
});
