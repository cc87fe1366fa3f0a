// What of a node's shards a power cut would leave.
import type { ShardId } from "../../domain/ids.ts";
import { shardKey } from "../../protocol/shard/shard-key.ts";
import { indexDirectory, indexTable } from "../../storage/shards/index-salvage.ts";
import { shardPath } from "../../storage/shards/shard-files.ts";
import { decodeRecord } from "../../storage/shards/shard-record.ts";
import type { MemoryDisk } from "../disk/memory-disk.ts";
import { storesOn } from "../store/disk-store.ts";
import type { ShardWatch } from "./shard-watch.ts";

/** Where a node has its data. */
export const NODE_DIRECTORY = "/node";

/** True when the shard is there, whole, whatever cut comes. */
export function standsOnDisk(disk: MemoryDisk, id: ShardId, watch: ShardWatch): boolean {
  const stored = disk.storedCopy();
  const directory = indexDirectory(NODE_DIRECTORY);
  if (stored.factsSync(directory) === undefined) return false;
  const index = storesOn(stored)({ directory, what: "an index", syncEachCommit: false });
  const key = shardKey(id);
  const value = indexTable(index, "shards").peek(key);
  const record = value && decodeRecord(key, Buffer.from(value));
  if (record === undefined) return false;
  const packed = indexTable(index, "packed").get(key);
  const file = `${NODE_DIRECTORY}/${shardPath(id)}`;
  const there = record.packed || stored.factsSync(file) !== undefined;
  const bytes = record.packed ? packed : there ? stored.readWholeSync(file) : undefined;
  return bytes?.length === record.sizeBytes && watch.isRight(id, bytes);
}
