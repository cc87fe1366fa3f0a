// What placement says about the group of a block under the current maps.
import { poolOf, type MapHistory, type MapNode, type Pool } from "../domain/cluster-map.ts";
import type { ShardId } from "../domain/ids.ts";
import type { BlockRef } from "../domain/layout.ts";
import {
  homeNodes,
  placementGroupOf,
  readCandidates,
  writeTargets,
} from "../placement/placement.ts";

/** Where a block's shards are kept, by slot. Placement itself remembers what it worked out. */
export class GroupPlaces {
  readonly maps: MapHistory;
  readonly ref: BlockRef;
  readonly pool: Pool;
  readonly pg: number;

  /** @throws FsError EIO when the map has no such pool */
  constructor(maps: MapHistory, ref: BlockRef) {
    this.maps = maps;
    this.ref = ref;
    this.pool = poolOf(maps.current, ref.pool);
    this.pg = placementGroupOf(this.pool, ref.slice, ref.index);
  }

  get slotCount(): number {
    return this.pool.k + this.pool.m;
  }

  /** Where each shard belongs. */
  get homes(): readonly (MapNode | undefined)[] {
    return homeNodes(this.maps.current, this.pool, this.pg);
  }

  /** Where to write each shard now. */
  get targets(): readonly (MapNode | undefined)[] {
    return writeTargets(this.maps.current, this.pool, this.pg);
  }

  /** Where each shard may be, likeliest first. */
  get candidates(): readonly (readonly MapNode[])[] {
    return readCandidates(this.maps, this.pool, this.pg);
  }

  shardId(slot: number): ShardId {
    const { pool, slice, index } = this.ref;
    return { pool, pg: this.pg, slice, index, slot };
  }
}
