// What jobs ask of storage nodes, each call with a deadline: a node that hangs holds nobody up for
// longer.
import type { MapNode } from "../domain/cluster-map.ts";
import type { PoolId, ShardId } from "../domain/ids.ts";
import type { Clock } from "../platform/clock.ts";
import { deadline } from "../platform/deadline.ts";
import { MAX_BATCH_SHARDS } from "../protocol/shard/limits.ts";
import type {
  RebuildRequest,
  ShardInfo,
  ShardService,
  ShardSlab,
  ShardVerdict,
} from "../protocol/shard/shard-service.ts";
import {
  NODE_CALL_TIMEOUT_MS,
  NODE_REBUILD_TIMEOUT_MS,
  NODE_SECURE_TIMEOUT_MS,
  SECURE_SHARDS_AT_ONCE,
} from "./limits.ts";

type AskedShards = Pick<
  ShardService,
  "list" | "headMany" | "groups" | "get" | "secure" | "rebuild" | "deleteMany" | "park" | "unpark"
>;

export type NodeShards = (node: MapNode) => AskedShards;

export class NodeCalls {
  readonly #shardsOf: NodeShards;
  readonly #clock: Pick<Clock, "after">;

  constructor(shardsOf: NodeShards, clock: Pick<Clock, "after">) {
    this.#shardsOf = shardsOf;
    this.#clock = clock;
  }

  groups(node: MapNode, signal: AbortSignal): Promise<[PoolId, number][]> {
    return this.#within(NODE_CALL_TIMEOUT_MS, signal, (ended) =>
      this.#shardsOf(node).groups(ended),
    );
  }

  async *list(
    node: MapNode,
    pool: PoolId,
    pg: number,
    signal: AbortSignal,
  ): AsyncGenerator<ShardInfo> {
    let cursor: string | undefined;
    do {
      const page = await this.#within(NODE_CALL_TIMEOUT_MS, signal, (ended) =>
        this.#shardsOf(node).list(pool, pg, cursor, ended),
      );
      yield* page.shards;
      cursor = page.next;
    } while (cursor !== undefined);
  }

  get(
    node: MapNode,
    id: ShardId,
    offsetBytes: number,
    target: Uint8Array,
    signal: AbortSignal,
  ): Promise<ShardSlab> {
    return this.#within(NODE_CALL_TIMEOUT_MS, signal, (ended) =>
      this.#shardsOf(node).get(id, offsetBytes, target, ended),
    );
  }

  async headMany(
    node: MapNode,
    ids: readonly ShardId[],
    signal: AbortSignal,
  ): Promise<(ShardInfo | undefined)[]> {
    const infos: (ShardInfo | undefined)[] = [];
    for (const batch of batches(ids, MAX_BATCH_SHARDS)) {
      const said = await this.#within(NODE_CALL_TIMEOUT_MS, signal, (ended) =>
        this.#shardsOf(node).headMany(batch, ended),
      );
      infos.push(...said);
    }
    return infos;
  }

  /**
   * Has the node say of each shard, in order, whether it is there whole and on disk. Unless it is
   * to `verify`, it believes its earlier starts: else each start would have it read its whole disk.
   */
  async secure(
    node: MapNode,
    ids: readonly ShardId[],
    verify: boolean,
    signal: AbortSignal,
  ): Promise<ShardVerdict[]> {
    const verdicts: ShardVerdict[] = [];
    for (const batch of batches(ids, SECURE_SHARDS_AT_ONCE)) {
      const said = await this.#within(NODE_SECURE_TIMEOUT_MS, signal, (ended) =>
        this.#shardsOf(node).secure(batch, verify ? "every" : "unflushed", ended),
      );
      verdicts.push(...said);
    }
    return verdicts;
  }

  rebuild(node: MapNode, request: RebuildRequest, signal: AbortSignal): Promise<ShardInfo> {
    return this.#within(NODE_REBUILD_TIMEOUT_MS, signal, (ended) =>
      this.#shardsOf(node).rebuild(request, ended),
    );
  }

  async deleteMany(node: MapNode, ids: readonly ShardId[], signal: AbortSignal): Promise<void> {
    for (const batch of batches(ids, MAX_BATCH_SHARDS)) {
      await this.#within(NODE_CALL_TIMEOUT_MS, signal, (ended) =>
        this.#shardsOf(node).deleteMany(batch, ended),
      );
    }
  }

  /** Into the node's trash, from where they can come back. */
  async park(node: MapNode, ids: readonly ShardId[], signal: AbortSignal): Promise<void> {
    for (const batch of batches(ids, MAX_BATCH_SHARDS)) {
      await this.#within(NODE_CALL_TIMEOUT_MS, signal, (ended) =>
        this.#shardsOf(node).park(batch, ended),
      );
    }
  }

  /** Out of the node's trash. Of each, in order: whether it stands now. */
  async unpark(node: MapNode, ids: readonly ShardId[], signal: AbortSignal): Promise<boolean[]> {
    const standing: boolean[] = [];
    for (const batch of batches(ids, MAX_BATCH_SHARDS)) {
      const said = await this.#within(NODE_CALL_TIMEOUT_MS, signal, (ended) =>
        this.#shardsOf(node).unpark(batch, ended),
      );
      standing.push(...said);
    }
    return standing;
  }

  async #within<T>(
    timeoutMs: number,
    signal: AbortSignal,
    ask: (ended: AbortSignal) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    using limit = deadline(this.#clock, timeoutMs);
    return await ask(AbortSignal.any([limit.signal, signal]));
  }
}

function* batches<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
