// Tombstones: which slices are dead and in which order they died, until no node has shards of them
// any more. A death is on disk before anything is deleted.
import type { NodeId, SliceId } from "../../domain/ids.ts";
import type { ReadTransaction, Transaction } from "../engine/engine.ts";
import { firstNumber, keyRanges, keys } from "../schema/keys.ts";
import { decodeRecord, encodeRecord } from "../schema/records.ts";
import { SliceOwners } from "../schema/slice-ranges.ts";
import {
  decodeDeath,
  decodeTombstone,
  encodeDeath,
  encodeTombstone,
  type Tombstone,
} from "../schema/tombstone.ts";

const DEATH_COUNTER = "death";
const VERSION = 1;

/** The slice has shards that are to go. Not for one that still lives. */
export function bury(tx: Transaction, dead: Omit<Tombstone, "death">): void {
  if (tx.get(keys.tombstone(dead.slice)) !== undefined) return;
  const death = nextDeath(tx);
  tx.put(keys.counter(DEATH_COUNTER), encodeRecord(VERSION, death + 1));
  tx.put(keys.tombstone(dead.slice), encodeTombstone({ ...dead, death }));
  tx.put(keys.death(death), encodeDeath(dead.slice));
}

/** The number of the next death; they begin at 1. */
export function nextDeath(tx: ReadTransaction): number {
  const record = tx.get(keys.counter(DEATH_COUNTER));
  return record === undefined ? 1 : decodeRecord(record, { [VERSION]: Number });
}

/** The number of the oldest death that has a tombstone; the next one's where none has. */
export function oldestDeath(tx: ReadTransaction): number {
  for (const { key } of tx.range({ ...keyRanges.deaths(), limit: 1 })) return firstNumber(key);
  return nextDeath(tx);
}

export function tombstoneOf(tx: ReadTransaction, slice: SliceId): Tombstone | undefined {
  const record = tx.get(keys.tombstone(slice));
  return record === undefined ? undefined : decodeTombstone(slice, record);
}

/** From the death `from` on, below `below`, at most `limit`. */
export function tombstones(
  tx: ReadTransaction,
  from: number,
  below: number,
  limit: number,
): Tombstone[] {
  const found: Tombstone[] = [];
  for (const { value } of tx.range({ start: keys.death(from), end: keys.death(below), limit })) {
    const tombstone = tombstoneOf(tx, decodeDeath(value));
    if (tombstone !== undefined) found.push(tombstone);
  }
  return found;
}

/** No node has shards of the deaths below `below`. Forgets at most `limit`; returns how many. */
export function forgetTombstones(tx: Transaction, below: number, limit: number): number {
  const range = { start: keys.death(0), end: keys.death(below), limit };
  const owners = new SliceOwners(tx);
  const found = [...tx.range(range)];
  for (const { key, value } of found) {
    const slice = decodeDeath(value);
    tx.delete(key);
    tx.delete(keys.tombstone(slice));
    owners.noteOver(tx, slice);
  }
  return found.length;
}

/** The node has no shard of any death below this number; undefined where nothing is known of it. */
export function gcProgress(tx: ReadTransaction, node: NodeId): number | undefined {
  const record = tx.get(keys.gcProgress(node));
  return record === undefined ? undefined : decodeRecord(record, { [VERSION]: Number });
}

export function putGcProgress(tx: Transaction, node: NodeId, progress: number): void {
  tx.put(keys.gcProgress(node), encodeRecord(VERSION, progress));
}

/** How many dead slices each node may still have shards of. */
export function gcBacklog(tx: ReadTransaction, nodes: readonly NodeId[]): Map<NodeId, number> {
  const next = nextDeath(tx);
  const oldest = oldestDeath(tx);
  return new Map(
    nodes.map((id) => [id, next - Math.max(oldest, Math.min(next, gcProgress(tx, id) ?? 0))]),
  );
}
