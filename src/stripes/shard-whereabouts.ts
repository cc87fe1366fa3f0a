// What this client knows of where shards stand beyond what placement says: the nodes of blocks it
// wrote and hasn't synced yet, and shards met elsewhere than at home. Bounded; losing it costs time
// only.
import type { NodeId } from "../domain/ids.ts";
import type { BlockRef } from "../domain/layout.ts";
import { MAX_STRAYS_REMEMBERED, MAX_BLOCK_STANDINGS } from "./limits.ts";
import { BoundedMap } from "../platform/flow/bounded-map.ts";

/** By slot, the node that holds the shard; undefined where none is known to. */
export type Standing = readonly (NodeId | undefined)[];

export class ShardWhereabouts {
  readonly #unsynced = new BoundedMap<string, Standing>(MAX_BLOCK_STANDINGS);
  readonly #strays = new BoundedMap<string, readonly (NodeId | undefined)[]>(MAX_STRAYS_REMEMBERED);

  written(ref: BlockRef, standing: Standing): void {
    this.#unsynced.set(keyOf(ref), standing);
  }

  /** Where an unsynced block's shards were put. */
  unsyncedAt(ref: BlockRef): Standing | undefined {
    return this.#unsynced.get(keyOf(ref));
  }

  synced(ref: BlockRef): void {
    this.#unsynced.delete(keyOf(ref));
  }

  /** A shard was put to, or found on, a node that isn't its home. */
  strayed(ref: BlockRef, slot: number, node: NodeId): void {
    const strays = [...(this.#strays.get(keyOf(ref)) ?? [])];
    strays[slot] = node;
    this.#strays.set(keyOf(ref), strays);
  }

  /** A shard isn't, or no longer, where it was last seen. */
  notAstray(ref: BlockRef, slot: number, node: NodeId): void {
    if (this.straysOf(ref)?.[slot] !== node) return;
    const strays = [...(this.#strays.get(keyOf(ref)) ?? [])];
    strays[slot] = undefined;
    this.#strays.set(keyOf(ref), strays);
  }

  /** By slot, where a shard was last seen away from home. */
  straysOf(ref: BlockRef): readonly (NodeId | undefined)[] | undefined {
    return this.#strays.size === 0 ? undefined : this.#strays.get(keyOf(ref));
  }
}

function keyOf(ref: BlockRef): string {
  return `${ref.slice}-${ref.index}`;
}
