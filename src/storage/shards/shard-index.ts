// A node's index: which shards it has, their checksums, where their bytes are, and the bytes of the
// small ones. Nothing here knows of files; ShardStore keeps both in step.
import { FsError } from "../../domain/errno.ts";
import { INDEX_FORMAT } from "../../domain/format.ts";
import type { PoolId, ShardId } from "../../domain/ids.ts";
import {
  GROUP_KEY_BYTES,
  groupKey,
  readShardKey,
  SHARD_KEY_BYTES,
  shardKey,
} from "../../protocol/shard/shard-key.ts";
import { FlushedStarts } from "./flushed-starts.ts";
import { GroupCounts } from "./group-counts.ts";
import { indexTable } from "./index-salvage.ts";
import { IndexWriter, type IndexChange } from "./index-writer.ts";
import type { Clock } from "../../platform/clock.ts";
import type {
  OpenStore,
  OrderedStore,
  StoreBatch,
  StoreTable,
} from "../../platform/store/ordered-store.ts";
import type { ShardInfo } from "../../protocol/shard/shard-service.ts";
import { decodeRecord, encodeRecord, type ShardFacts, type ShardRecord } from "./shard-record.ts";
import { ShardTrash, type ParkedShard } from "./shard-trash.ts";

export interface IndexWorld {
  /** False where there are shards already: an index without a word on them is a lost one. */
  readonly mayBeNew: boolean;
  readonly clock: Clock;
  readonly openStore: OpenStore;
  /** Told once a flush of the index has failed, perhaps more than once: nothing goes on then. */
  readonly onBroken: (error: FsError) => void;
}

/** State of the index itself. Version 1 had no format, and called the start incarnation. */
const FORMAT = "format";
const START = "start";
const FLUSHED = "flushed";
/** Of a shard of which no start knows anything. */
const NO_START = 0;
const START_OF_VERSION_1 = "incarnation";

export class ShardIndex {
  /** Number of this start, one more than the last one's. */
  readonly start: number;
  readonly #store: OrderedStore;
  readonly #records: StoreTable;
  readonly #packed: StoreTable;
  readonly #state: StoreTable;
  readonly #writer: IndexWriter;
  readonly #onBroken: (error: FsError) => void;
  readonly #counts: GroupCounts;
  readonly #flushed: FlushedStarts;
  readonly #trash: ShardTrash;
  #sequence = 0;
  /** All shards up to here are committed, and up to the other on disk as far as the index goes. */
  #committed = 0;
  #flushedEntries = 0;
  /** Sequence of the last shard that this start has taken out of the trash. */
  #lastUnparked = 0;
  #onSpoilt: (id: ShardId) => void = () => undefined;

  private constructor(store: OrderedStore, start: number, on: IndexWorld) {
    this.#store = store;
    this.#records = indexTable(store, "shards");
    this.#packed = indexTable(store, "packed");
    this.#counts = new GroupCounts(indexTable(store, "groups"));
    this.#state = indexTable(store, "state");
    this.#writer = new IndexWriter(store, on.clock);
    this.#onBroken = on.onBroken;
    this.#trash = new ShardTrash(store);
    this.start = start;
    this.#flushed = FlushedStarts.decode(this.#state.get(Buffer.from(FLUSHED)));
  }

  /**
   * Opens the index in `directory`, making it when missing.
   * @throws FsError EPROTO when it is of another format, EIO when it is lost
   */
  static async open(directory: string, on: IndexWorld): Promise<ShardIndex> {
    const store = on.openStore({ directory, what: "the node's index", syncEachCommit: false });
    const state = indexTable(store, "state");
    const format = state.get(Buffer.from(FORMAT))?.readUInt8(0);
    const isNew = format === undefined && state.get(Buffer.from(START_OF_VERSION_1)) === undefined;
    if (isNew && !on.mayBeNew) {
      await store.close();
      const message =
        `${directory} is gone or empty, and the shards beside it are of no use without it: bring ` +
        "it back, or give the node an empty data directory and let the cluster rebuild its share";
      throw new FsError("EIO", message);
    }
    if (!isNew && format !== INDEX_FORMAT) {
      await store.close();
      throw new FsError(
        "EPROTO",
        `${directory} is an index of format ${format ?? 1}, and this dfs reads ${INDEX_FORMAT}: ` +
          "copy the cluster's files away with the dfs that wrote it, or give the node an empty " +
          "data directory",
      );
    }
    const start = (state.get(Buffer.from(START))?.readUInt32LE(0) ?? 0) + 1;
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(start, 0);
    const index = new ShardIndex(store, start, on);
    await Promise.all([
      index.putState(START, bytes),
      index.putState(FORMAT, Buffer.of(INDEX_FORMAT)),
    ]);
    // From here on all that earlier starts have committed is on disk, too.
    await index.#orBroken(store.sync());
    return index;
  }

  get shards(): number {
    return this.#counts.shards;
  }

  /** Bytes of all shards; their index entries are not among them. */
  get usedBytes(): number {
    return this.#counts.usedBytes;
  }

  async close(): Promise<void> {
    await this.#store.close();
  }

  /** Who is told of an entry that doesn't match its checksum; it counts as absent until removed. */
  whenSpoilt(listener: (id: ShardId) => void): void {
    this.#onSpoilt = listener;
  }

  /** @throws FsError EIO: the index is broken, and its word on this shard is worth nothing */
  get(id: ShardId): ShardRecord | undefined {
    this.#check();
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
  async insert(id: ShardId, facts: ShardFacts, packedBytes?: Buffer): Promise<void> {
    await this.#put(id, facts, packedBytes, 1, facts.sizeBytes);
  }

  /** As `insert` in the place of the same shard, received anew. */
  async replace(id: ShardId, facts: ShardFacts, packedBytes?: Buffer): Promise<void> {
    await this.#put(id, facts, packedBytes, 0, 0);
  }

  async #put(
    id: ShardId,
    facts: ShardFacts,
    packedBytes: Buffer | undefined,
    shards: number,
    bytes: number,
  ): Promise<void> {
    const key = shardKey(id);
    const parked = this.#trash.get(id);
    let sequence = 0;
    const write = (batch: StoreBatch): void => {
      // In the order of the commits: a sequence says what else is committed.
      sequence = ++this.#sequence;
      if (parked !== undefined) this.#trash.leave(batch, parked);
      if (packedBytes !== undefined) batch.put(this.#packed, key, packedBytes);
      batch.put(this.#records, key, encodeRecord(key, { ...facts, start: this.start, sequence }));
    };
    const revert = (): void => {
      if (parked !== undefined) this.#trash.notLeft(parked);
    };
    await this.#change(key, shards, bytes, write, revert);
    this.#committed = Math.max(this.#committed, sequence);
  }

  /** Removes a shard that the index has. */
  async remove(id: ShardId, record: ShardRecord): Promise<void> {
    const key = shardKey(id);
    await this.#change(key, -1, -record.sizeBytes, (batch) => {
      if (record.packed) batch.remove(this.#packed, key);
      batch.remove(this.#records, key);
    });
  }

  /** What is in the trash. */
  get trash(): Pick<ShardTrash, "shards" | "usedBytes" | "newestMs" | "get" | "has" | "oldest"> {
    return this.#trash;
  }

  /** Moves a shard that the index has to the trash, at `atMs` of the node's own age. */
  async park(id: ShardId, record: ShardRecord, atMs: number): Promise<void> {
    const key = shardKey(id);
    const { sizeBytes } = record;
    const parked = { id, sizeBytes, atMs, record };
    const move = (batch: StoreBatch): void => {
      batch.remove(this.#records, key);
      this.#trash.enter(batch, parked);
    };
    await this.#change(key, -1, -sizeBytes, move, () => this.#trash.notEntered(parked));
  }

  /** Takes a shard out of the trash again; no start of the node knows anything of it. */
  async unpark(parked: Required<ParkedShard>): Promise<void> {
    const { id, record } = parked;
    const key = shardKey(id);
    let sequence = 0;
    const move = (batch: StoreBatch): void => {
      sequence = ++this.#sequence;
      this.#lastUnparked = sequence;
      const back = { ...record, start: NO_START, sequence };
      batch.put(this.#records, key, encodeRecord(key, back));
      this.#trash.leave(batch, parked);
    };
    await this.#change(key, 1, record.sizeBytes, move, () => this.#trash.notLeft(parked));
    this.#committed = Math.max(this.#committed, sequence);
  }

  /** Removes a shard from the trash for good; if it stands as well, it keeps its bytes. */
  async purge(parked: ParkedShard): Promise<void> {
    const key = shardKey(parked.id);
    const write = (batch: StoreBatch): void => {
      if (this.#records.peek(key) === undefined) batch.remove(this.#packed, key);
      this.#trash.leave(batch, parked);
    };
    await this.#apply({ write, revert: () => this.#trash.notLeft(parked) });
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
    return this.#counts.groups();
  }

  /** Small state of the node's own jobs, by name. */
  getState(name: string): Buffer | undefined {
    return this.#state.get(Buffer.from(name));
  }

  async putState(name: string, value: Buffer): Promise<void> {
    const write = (batch: StoreBatch): void => batch.put(this.#state, Buffer.from(name), value);
    await this.#apply({ write, revert: () => undefined });
  }

  /** Sequence of the last shard that is committed. */
  get committed(): number {
    return this.#committed;
  }

  /** What `flush` must be asked for before the record is on disk; 0: it was when we started. */
  sequenceOf({ start, sequence }: ShardRecord): number {
    if (start === this.start) return sequence;
    return start === NO_START ? this.#lastUnparked : 0;
  }

  /** Resolves when the entries up to that sequence are on disk, and with them all before. */
  async flush(sequence: number): Promise<void> {
    if (sequence <= this.#flushedEntries) return;
    const committed = this.#committed;
    await this.#orBroken(this.#store.sync());
    this.#flushedEntries = Math.max(this.#flushedEntries, committed);
  }

  /** Keeps in mind that all shards of this start up to that sequence are on disk, files too. */
  async keepFlushed(sequence: number): Promise<void> {
    if (this.#flushed.advance(this.start, sequence)) {
      await this.putState(FLUSHED, this.#flushed.encode());
    }
  }

  /** True when nothing of an earlier start may have been left unflushed. */
  get areEarlierFlushed(): boolean {
    return this.#flushed.isSettled(this.start - 1);
  }

  /** Notes that all shards of the starts up to `start` are on disk. */
  async settle(start: number): Promise<void> {
    this.#flushed.settle(start);
    await this.putState(FLUSHED, this.#flushed.encode());
  }

  /** True when the shard was on disk, file and entry, by the time its start had ended. */
  wasFlushed({ start, sequence }: ShardRecord): boolean {
    return start !== NO_START && this.#flushed.covers(start, sequence);
  }

  /** Commits `write` together with what it adds to the counts of the key's group. */
  #change(
    key: Buffer,
    shards: number,
    bytes: number,
    write: (batch: StoreBatch) => void,
    revert: () => void = () => undefined,
  ): Promise<void> {
    const group = key.subarray(0, GROUP_KEY_BYTES);
    return this.#apply({
      write: (batch) => {
        write(batch);
        this.#counts.add(batch, group, shards, bytes);
      },
      revert: () => {
        this.#counts.takeBack(group, shards, bytes);
        revert();
      },
    });
  }

  #apply(change: IndexChange): Promise<void> {
    return this.#orBroken(this.#writer.apply(change));
  }

  async #orBroken(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#check();
      throw error;
    }
  }

  #check(): void {
    const { broken } = this.#store;
    if (broken === undefined) return;
    this.#onBroken(broken);
    throw broken;
  }
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
