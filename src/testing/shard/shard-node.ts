// Storage nodes for tests: a store in a fresh directory, alone or behind HTTP on loopback.
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ShardId } from "../../domain/ids.ts";
import { silentLog } from "../../observability/log.ts";
import { systemClock } from "../../platform/clock.ts";
import { SYSTEM } from "../system.ts";
import { FOR_HEADER, formatNodeName, type NodeName } from "../../protocol/shard/node-name.ts";
import { HttpShardService } from "../../protocol/shard/shard-http-client.ts";
import { NodeServer } from "../../storage/http/node-server.ts";
import { createShardApp } from "../../storage/http/shard-server.ts";
import { TEST_CLUSTER, TEST_NAME } from "./test-name.ts";
import { ShardStore, type ShardStoreOptions } from "../../storage/shards/shard-store.ts";

/** What requests that are made by hand need to be let in. */
export const TEST_HEADERS = { [FOR_HEADER]: formatNodeName(TEST_NAME) };

/** A fresh directory; remove it with `rm`. */
export function makeTempDir(): Promise<string> {
  return mkdtemp(join(tmpdir(), "dfs-node-"));
}

/** Where a shard too large to be packed stands in a node's directory. */
export function shardFile(directory: string, { pool, pg, slice, index, slot }: ShardId): string {
  const [folder, group, ...name] = [pool, pg, slice, index, slot].map((n) => n.toString(16));
  return join(directory, "shards", folder ?? "", group ?? "", name.join("-"));
}

/** Spoils a file as a failing disk does. */
export async function flipByte(path: string, at: number): Promise<void> {
  const file = await open(path, "r+");
  try {
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    byte.writeUInt8(byte.readUInt8(0) ^ 0xff, 0);
    await file.write(byte, 0, 1, at);
  } finally {
    await file.close();
  }
}

export interface TempStore {
  store: ShardStore;
  directory: string;
  /** Closes the store and opens it anew, as a restarted node does. */
  reopen: () => Promise<ShardStore>;
  close: () => Promise<void>;
}

export async function openTempStore(options: Partial<ShardStoreOptions> = {}): Promise<TempStore> {
  const directory = await makeTempDir();
  const cluster = (): string => TEST_CLUSTER;
  const opened: TempStore = {
    store: await ShardStore.open({ ...SYSTEM, cluster, ...options, directory }),
    directory,
    reopen: async () => {
      await opened.store.close();
      opened.store = await ShardStore.open({ ...SYSTEM, cluster, ...options, directory });
      return opened.store;
    },
    close: async () => {
      await opened.store.close();
      await rm(directory, { recursive: true });
    },
  };
  return opened;
}

export interface ServedStore extends TempStore {
  url: string;
  service: HttpShardService;
  /** Nobody answers any more at its address. */
  stop: () => Promise<void>;
}

/** A store behind a real socket, and a client of it. */
export async function openServedStore(
  options: Partial<ShardStoreOptions> = {},
  name: () => NodeName | undefined = () => TEST_NAME,
): Promise<ServedStore> {
  const temp = await openTempStore(options);
  const app = createShardApp({ store: temp.store, clock: systemClock, log: silentLog, name });
  const server = await NodeServer.listen(app, "127.0.0.1", 0, systemClock);
  const url = `http://127.0.0.1:${server.port}`;
  const service = new HttpShardService(url, { clock: systemClock, ...TEST_NAME });
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= server.close());
  const close = async (): Promise<void> => {
    await service.close();
    await stop();
    await temp.close();
  };
  return { ...temp, url, service, stop, close };
}
