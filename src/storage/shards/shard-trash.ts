// The trash of a node's index: shards that somebody took for garbage by inference. Their bytes stay
// where they are; the records wait here, by id and by the time they came.
import { indexTable } from "./index-salvage.ts";
import type { ShardId } from "../../domain/ids.ts";
import type { OrderedStore, StoreBatch, StoreTable } from "../../platform/store/ordered-store.ts";
import { readShardKey, shardKey } from "../../protocol/shard/shard-key.ts";
import { decodeRecord, encodeRecord, type ShardRecord } from "./shard-record.ts";

export interface ParkedShard {
  readonly id: ShardId;
  readonly sizeBytes: number;
  /** The node's age when it came, ms. */
  readonly atMs: number;
  /** Absent when the disk has spoilt it, or nobody has looked. */
  readonly record?: ShardRecord;
}

/** Before the record, and before the key in the order of coming: u48, big-endian. */
const TIME_BYTES = 6;
const FIRST = Buffer.alloc(1);

export class ShardTrash {
  /** Time and record by key. */
  readonly #parked: StoreTable;
  /** Size, u32 little-endian, by time and key. */
  readonly #order: StoreTable;
  #shards = 0;
  #usedBytes = 0;

  constructor(store: OrderedStore) {
    this.#parked = indexTable(store, "parked");
    this.#order = indexTable(store, "trash");
    for (const { value } of this.#order.range({ start: FIRST })) this.#count(1, sizeOf(value));
  }

  get shards(): number {
    return this.#shards;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** When the last one came; 0 when there is none. */
  get newestMs(): number {
    for (const key of this.#order.keys({ start: FIRST, reverse: true, limit: 1 })) {
      return key.readUIntBE(0, TIME_BYTES);
    }
    return 0;
  }

  /** The one that has been there longest, without its record. */
  get oldest(): ParkedShard | undefined {
    for (const { key, value } of this.#order.range({ start: FIRST, limit: 1 })) {
      const atMs = key.readUIntBE(0, TIME_BYTES);
      return { id: readShardKey(key, TIME_BYTES), sizeBytes: sizeOf(value), atMs };
    }
    return undefined;
  }

  /** True when one that was met here still is, since the same time. */
  has({ id, atMs }: ParkedShard): boolean {
    return this.#order.peek(orderKey(atMs, id)) !== undefined;
  }

  get(id: ShardId): ParkedShard | undefined {
    const key = shardKey(id);
    const value = this.#parked.get(key);
    if (value === undefined) return undefined;
    const atMs = value.readUIntBE(0, TIME_BYTES);
    const record = decodeRecord(key, value.subarray(TIME_BYTES));
    const size = this.#order.get(orderKey(atMs, id));
    const sizeBytes = size === undefined ? 0 : sizeOf(size);
    return record === undefined ? { id, sizeBytes, atMs } : { id, sizeBytes, atMs, record };
  }

  enter(batch: StoreBatch, { id, atMs, record }: Required<ParkedShard>): void {
    const key = shardKey(id);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(record.sizeBytes, 0);
    const value = Buffer.concat([timeOf(atMs), encodeRecord(key, record)]);
    batch.put(this.#parked, key, value);
    batch.put(this.#order, orderKey(atMs, id), size);
    this.#count(1, record.sizeBytes);
  }

  /** Takes `enter` back in memory: its transaction has failed. */
  notEntered({ sizeBytes }: ParkedShard): void {
    this.#count(-1, -sizeBytes);
  }

  leave(batch: StoreBatch, { id, atMs, sizeBytes }: ParkedShard): void {
    batch.remove(this.#parked, shardKey(id));
    batch.remove(this.#order, orderKey(atMs, id));
    this.#count(-1, -sizeBytes);
  }

  /** Takes `leave` back in memory: its transaction has failed. */
  notLeft({ sizeBytes }: ParkedShard): void {
    this.#count(1, sizeBytes);
  }

  #count(shards: number, bytes: number): void {
    this.#shards += shards;
    this.#usedBytes += bytes;
  }
}

function timeOf(atMs: number): Buffer {
  const time = Buffer.alloc(TIME_BYTES);
  time.writeUIntBE(atMs, 0, TIME_BYTES);
  return time;
}

function orderKey(atMs: number, id: ShardId): Buffer {
  return Buffer.concat([timeOf(atMs), shardKey(id)]);
}

function sizeOf(value: Buffer): number {
  return value.readUInt32LE(0);
}
