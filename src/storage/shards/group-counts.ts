// How many shards each placement group has on a node, and how many bytes: kept in step with the
// index by its own transactions.
import type { PoolId } from "../../domain/ids.ts";
import type { StoreBatch, StoreTable } from "../../platform/store/ordered-store.ts";

interface GroupCount {
  shards: number;
  bytes: number;
}

/** Before every key. */
const NO_KEY = Buffer.alloc(1);

export class GroupCounts {
  /** By the first bytes of a shard's key; shards u64, bytes u64, little-endian. */
  readonly #table: StoreTable;
  /** By hex group key, as the transaction under way leaves them. */
  readonly #counts = new Map<string, GroupCount>();
  #shards = 0;
  #usedBytes = 0;

  constructor(table: StoreTable) {
    this.#table = table;
    for (const { key, value } of table.range({ start: NO_KEY })) {
      const shards = Number(value.readBigUInt64LE(0));
      const bytes = Number(value.readBigUInt64LE(8));
      this.#counts.set(Buffer.from(key).toString("hex"), { shards, bytes });
      this.#shards += shards;
      this.#usedBytes += bytes;
    }
  }

  /** Of all groups. */
  get shards(): number {
    return this.#shards;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Groups that have shards, ascending. */
  groups(): [PoolId, number][] {
    return [...this.#counts.keys()].sort().map((hex) => {
      const key = Buffer.from(hex, "hex");
      return [key.readUInt16BE(0) as PoolId, key.readUInt32BE(2)];
    });
  }

  /** Counts shards and bytes that come, or go, with the transaction. */
  add(batch: StoreBatch, group: Buffer, shards: number, bytes: number): void {
    const count = this.#count(group, shards, bytes);
    if (count.shards === 0) batch.remove(this.#table, group);
    else batch.put(this.#table, group, encodeCount(count));
  }

  /** The transaction of that `add` has failed. */
  takeBack(group: Buffer, shards: number, bytes: number): void {
    this.#count(group, -shards, -bytes);
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
}

function encodeCount(count: GroupCount): Buffer {
  const value = Buffer.allocUnsafe(16);
  value.writeBigUInt64LE(BigInt(count.shards), 0);
  value.writeBigUInt64LE(BigInt(count.bytes), 8);
  return value;
}
