// What a node offers beyond ShardService: batch reads of small shards and self-checks.
import type { ShardId } from "../../domain/ids.ts";
import type { ShardPayload, ShardService } from "./shard-service.ts";

/** intact: every cell matches. quarantined: it didn't, and is no longer served. */
export type ShardVerdict = "intact" | "quarantined" | "unknown";

export interface ShardMaintenance extends ShardService {
  /**
   * Whole small shards (at most MAX_PACKED_SHARD_BYTES each), undefined where unknown, in order.
   */
  getMany(ids: readonly ShardId[], signal?: AbortSignal): Promise<(ShardPayload | undefined)[]>;
  /** Has the node check a shard it may spoil against its own checksums. */
  verify(id: ShardId, signal?: AbortSignal): Promise<ShardVerdict>;
}
