// A node's index: which shards it has, their checksums, where their bytes are, and the bytes of the
// small ones. Nothing here knows of files; ShardStore keeps both in step.
import { crc32 } from "node:zlib";
import type { PoolId, ShardId } from "../../domain/ids.ts";
import { cellCount } from "../../domain/layout.ts";
import {
  GROUP_KEY_BYTES,
  groupKey,
  readShardKey,
  SHARD_KEY_BYTES,
  shardKey,
} from "../../protocol/shard/shard-key.ts";
import { IndexWriter } from "./index-writer.ts";
import type { Clock } from "../../platform/clock.ts";
import type {
  OpenStore,
  OrderedStore,
  StoreBatch,
  StoreTable,
} from "../../platform/store/ordered-store.ts";
import type { ShardInfo } from "../../protocol/shard/shard-service.ts";

export interface ShardRecord {
  sizeBytes: number;
  /** Sealed. */
  cellCrcs: Uint32Array;
  /** Bytes stand in the index itself, not in a file. */
  packed: boolean;
  /** Which start of the node wrote it: later starts can't know whether it was synced. */
  incarnation: number;
}

interface GroupCount {
  shards: number;
  bytes: number;
}

// Record, little-endian: version u8, place u8 (0 packed, 1 file), cells u16, incarnation u32,
// size u32, a CRC-32 a cell, CRC-32 of key and all before it.
const RECORD_VERSION = 1;
const RECORD_HEAD_BYTES = 12;
const PLACE_PACKED = 0;
const PLACE_FILE = 1;
const INCARNATION = "incarnation";
/** Before every key. */
const NO_KEY = Buffer.alloc(1);

export class ShardIndex {
  /** Number of this start, one more than the last one's. */
  readonly incarnation: number;
  readonly #store: OrderedStore;
  readonly #records: StoreTable;
  readonly #packed: StoreTable;
  readonly #groups: StoreTable;
  readonly #state: StoreTable;
  readonly #writer: IndexWriter;
  /** By hex group key, as the transaction under way leaves them. */
  readonly #counts = new Map<string, GroupCount>();
  #shards = 0;
  #usedBytes = 0;
  #onSpoilt: (id: ShardId) => void = () => undefined;

  private constructor(store: OrderedStore, incarnation: number, clock: Clock) {
    this.#store = store;
    this.#records = store.table("shards");
    this.#packed = store.table("packed");
    this.#groups = store.table("groups");
    this.#state = store.table("state");
    this.#writer = new IndexWriter(store, clock);
    this.incarnation = incarnation;
    this.#loadCounts();
  }

  /** Opens the index in `directory`, making it when missing. */
  static async open(
    directory: string,
    on: { readonly clock: Clock; readonly openStore: OpenStore },
  ): Promise<ShardIndex> {
    const store = on.openStore({ directory, what: "the node's index", syncEachCommit: false });
    const stored = store.table("state").get(Buffer.from(INCARNATION));
    const incarnation = (stored?.readUInt32LE(0) ?? 0) + 1;
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(incarnation, 0);
    const index = new ShardIndex(store, incarnation, on.clock);
    await index.putState(INCARNATION, bytes);
    await store.sync();
    return index;
  }

  get shards(): number {
    return this.#shards;
  }

  /** Bytes of all shards; their index entries are not among them. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  async close(): Promise<void> {
    await this.#store.close();
  }

  /** Who is told of an entry that doesn't match its checksum; it counts as absent until removed. */
  whenSpoilt(listener: (id: ShardId) => void): void {
    this.#onSpoilt = listener;
  }

  get(id: ShardId): ShardRecord | undefined {
    const key = shardKey(id);
    const value = this.#records.peek(key);
    if (value === undefined) return undefined;
    const record = decodeRecord(key, value);
    if (record === undefined) this.#onSpoilt(id);
    return record;
  }

  /** Bytes of a packed shard, a copy of its own. */
  getPacked(id: ShardId): Buffer | undefined {
    return this.#packed.get(shardKey(id));
  }

  /**
   * Adds a shard that the index hasn't, with its bytes when it is packed; they must not change
   * before this resolves. Resolves when a kill of the process can't undo it.
   */
  async insert(id: ShardId, record: ShardRecord, packedBytes?: Buffer): Promise<void> {
    const key = shardKey(id);
    await this.#change(key, 1, record.sizeBytes, (batch) => {
      if (packedBytes !== undefined) batch.put(this.#packed, key, packedBytes);
      batch.put(this.#records, key, encodeRecord(key, record));
    });
  }

  /** Removes a shard that the index has. */
  async remove(id: ShardId, record: ShardRecord): Promise<void> {
    const key = shardKey(id);
    await this.#change(key, -1, -record.sizeBytes, (batch) => {
      if (record.packed) batch.remove(this.#packed, key);
      batch.remove(this.#records, key);
    });
  }

  /**
   * Removes an entry that is spoilt; false when it isn't. What it said of its size is lost: the
   * node's sum of bytes is that much too high for the group.
   */
  async removeSpoilt(id: ShardId): Promise<boolean> {
    const key = shardKey(id);
    const value = this.#records.get(key);
    if (value === undefined || decodeRecord(key, value) !== undefined) return false;
    await this.#change(key, -1, 0, (batch) => {
      batch.remove(this.#packed, key);
      batch.remove(this.#records, key);
    });
    return true;
  }

  /**
   * Up to `limit` shards of a group in key order, those after `after` when it is given; entries
   * that are spoilt are left out.
   */
  page(pool: PoolId, pg: number, after: Buffer | undefined, limit: number): ShardInfo[] {
    const start = after ?? groupKey(pool, pg);
    const end = followingKey(groupKey(pool, pg));
    const shards: ShardInfo[] = [];
    const range = { start, end, exclusiveStart: after !== undefined };
    for (const { key, value } of this.#records.range(range)) {
      const id = readShardKey(key, 0);
      const record = decodeRecord(key, value);
      if (record === undefined) this.#onSpoilt(id);
      else if (shards.push({ id, sizeBytes: record.sizeBytes }) === limit) break;
    }
    return shards;
  }

  /** The shard behind `after` in key order, of whatever group; undefined at the end. */
  next(after: ShardId | undefined): ShardId | undefined {
    const start = after === undefined ? Buffer.alloc(SHARD_KEY_BYTES) : shardKey(after);
    const exclusiveStart = after !== undefined;
    for (const key of this.#records.keys({ start, exclusiveStart, limit: 1 })) {
      return readShardKey(key, 0);
    }
    return undefined;
  }

  /** Groups that have shards, ascending. */
  groups(): [PoolId, number][] {
    return [...this.#counts.keys()].sort().map((hex) => {
      const key = Buffer.from(hex, "hex");
      return [key.readUInt16BE(0) as PoolId, key.readUInt32BE(2)];
    });
  }

  /** Small state of the node's own jobs, by name. */
  getState(name: string): Buffer | undefined {
    return this.#state.get(Buffer.from(name));
  }

  async putState(name: string, value: Buffer): Promise<void> {
    const write = (batch: StoreBatch): void => batch.put(this.#state, Buffer.from(name), value);
    await this.#writer.apply({ write, revert: () => undefined });
  }

  /** Resolves when all that was committed so far is on disk. */
  async flush(): Promise<void> {
    await this.#store.sync();
  }

  /** Commits `write` together with what it adds to the counts of the key's group. */
  #change(
    key: Buffer,
    shards: number,
    bytes: number,
    write: (batch: StoreBatch) => void,
  ): Promise<void> {
    const group = key.subarray(0, GROUP_KEY_BYTES);
    return this.#writer.apply({
      write: (batch) => {
        write(batch);
        const count = this.#count(group, shards, bytes);
        if (count.shards === 0) batch.remove(this.#groups, group);
        else batch.put(this.#groups, group, encodeCount(count));
      },
      revert: () => void this.#count(group, -shards, -bytes),
    });
  }

  #count(group: Buffer, shards: number, bytes: number): GroupCount {
    const name = group.toString("hex");
    const count = this.#counts.get(name) ?? { shards: 0, bytes: 0 };
    count.shards += shards;
    // A group without shards has no bytes, whatever was lost count of.
    const left = count.shards === 0 ? 0 : count.bytes + bytes;
    this.#shards += shards;
    this.#usedBytes += left - count.bytes;
    count.bytes = left;
    if (count.shards === 0) this.#counts.delete(name);
    else this.#counts.set(name, count);
    return count;
  }

  #loadCounts(): void {
    for (const { key, value } of this.#groups.range({ start: NO_KEY })) {
      const shards = Number(value.readBigUInt64LE(0));
      const bytes = Number(value.readBigUInt64LE(8));
      this.#counts.set(Buffer.from(key).toString("hex"), { shards, bytes });
      this.#shards += shards;
      this.#usedBytes += bytes;
    }
  }
}

function encodeCount(count: GroupCount): Buffer {
  const value = Buffer.allocUnsafe(16);
  value.writeBigUInt64LE(BigInt(count.shards), 0);
  value.writeBigUInt64LE(BigInt(count.bytes), 8);
  return value;
}

function encodeRecord(key: Buffer, record: ShardRecord): Buffer {
  const cells = record.cellCrcs.length;
  const value = Buffer.allocUnsafe(RECORD_HEAD_BYTES + cells * 4 + 4);
  value.writeUInt8(RECORD_VERSION, 0);
  value.writeUInt8(record.packed ? PLACE_PACKED : PLACE_FILE, 1);
  value.writeUInt16LE(cells, 2);
  value.writeUInt32LE(record.incarnation, 4);
  value.writeUInt32LE(record.sizeBytes, 8);
  let at = RECORD_HEAD_BYTES;
  for (const crc of record.cellCrcs) at = value.writeUInt32LE(crc, at);
  value.writeUInt32LE(crc32(value.subarray(0, at), crc32(key)), at);
  return value;
}

/** The record of `key`; undefined when it is spoilt. */
function decodeRecord(key: Buffer, value: Buffer): ShardRecord | undefined {
  const end = value.length - 4;
  if (end < RECORD_HEAD_BYTES) return undefined;
  if (value.readUInt32LE(end) !== crc32(value.subarray(0, end), crc32(key))) return undefined;
  const cells = value.readUInt16LE(2);
  const sizeBytes = value.readUInt32LE(8);
  const isWhole = cells === cellCount(sizeBytes) && end === RECORD_HEAD_BYTES + cells * 4;
  if (value.readUInt8(0) !== RECORD_VERSION || !isWhole) return undefined;
  const cellCrcs = new Uint32Array(cells);
  for (let cell = 0; cell < cells; cell++) {
    cellCrcs[cell] = value.readUInt32LE(RECORD_HEAD_BYTES + cell * 4);
  }
  const packed = value.readUInt8(1) === PLACE_PACKED;
  return { sizeBytes, cellCrcs, packed, incarnation: value.readUInt32LE(4) };
}

/** The smallest key behind all that begin with `prefix`. */
function followingKey(prefix: Buffer): Buffer {
  const key = Buffer.from(prefix);
  for (let at = key.length - 1; at >= 0; at--) {
    const byte = key.readUInt8(at);
    key.writeUInt8((byte + 1) % 256, at);
    if (byte !== 255) return key;
  }
  return Buffer.alloc(SHARD_KEY_BYTES + 1, 255);
}
