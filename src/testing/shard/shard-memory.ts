// A storage node of TEST_CLUSTER in memory that keeps ShardService's promises, for tests of what
// stands above it.
import { systemClock } from "../../platform/clock.ts";
import { cellCrcs as crcsOf } from "../../codec/cells.ts";
import { FsError } from "../../domain/errno.ts";
import { formatShardId, type PoolId, type ShardId } from "../../domain/ids.ts";
import { CELL_BYTES } from "../../domain/format.ts";
import { MAX_SHARD_PAGE } from "../../protocol/shard/limits.ts";
import { checkSignal } from "../../protocol/shard/shard-exchange.ts";
import { shardKey } from "../../protocol/shard/shard-key.ts";
import type {
  NodeStats,
  RebuildRequest,
  ShardInfo,
  ShardPage,
  ShardPayload,
  ShardService,
  ShardSlab,
  SecureDepth,
  ShardVerdict,
} from "../../protocol/shard/shard-service.ts";
import { checkPayload } from "../../protocol/shard/shard-wire.ts";
import { TEST_SEAL } from "./test-name.ts";
import { ShardRebuild, type RebuildTools } from "../../storage/shards/shard-rebuild.ts";

interface StoredShard {
  id: ShardId;
  key: Buffer;
  bytes: Uint8Array;
  cellCrcs: Uint32Array;
}

export interface MemoryShardOptions {
  capacityBytes?: number;
  /** What rebuild needs; without it rebuild is ENOSYS. */
  tools?: RebuildTools;
}

export class MemoryShardService implements ShardService {
  /** Shards that were secured, by text id: what a power cut would leave. */
  readonly secured = new Set<string>();
  readonly #shards = new Map<string, StoredShard>();
  readonly #parked = new Map<string, StoredShard>();
  readonly #options: MemoryShardOptions;
  #quarantined = 0;

  constructor(options: MemoryShardOptions = {}) {
    this.#options = options;
  }

  /** Text ids of all shards, for a test to look at. */
  get ids(): string[] {
    return [...this.#shards.keys()];
  }

  /** Flips one bit of a stored shard, as a failing disk does. */
  spoil(id: ShardId, atByte = 0): void {
    const { bytes } = this.#find(id);
    bytes[atByte] = (bytes[atByte] ?? 0) ^ 1;
  }

  async put(id: ShardId, payload: ShardPayload, signal?: AbortSignal): Promise<void> {
    checkSignal(signal);
    checkPayload(payload);
    const [cell] = TEST_SEAL.corruptCells(id, payload.bytes, payload.cellCrcs);
    if (cell !== undefined) throw new FsError("EBADMSG", `cell ${cell} of the shard doesn't match`);
    const name = formatShardId(id);
    const known = this.#shards.get(name);
    if (known !== undefined) {
      if (known.cellCrcs.join() === payload.cellCrcs.join()) return;
      throw new FsError("EEXIST", `other bytes stand under ${name}`);
    }
    const { capacityBytes = Infinity } = this.#options;
    if (this.#usedBytes() + payload.bytes.length > capacityBytes) {
      throw new FsError("ENOSPC", "the node is full");
    }
    this.#parked.delete(name);
    const [bytes, cellCrcs] = [payload.bytes.slice(), payload.cellCrcs.slice()];
    this.#shards.set(name, { id, key: shardKey(id), bytes, cellCrcs });
  }

  async get(
    id: ShardId,
    offsetBytes: number,
    target: Uint8Array,
    signal?: AbortSignal,
  ): Promise<ShardSlab> {
    checkSignal(signal);
    const { bytes, cellCrcs } = this.#find(id);
    const end = Math.min(bytes.length, offsetBytes + target.length);
    const aligned = end % CELL_BYTES === 0 || end === bytes.length;
    if (offsetBytes % CELL_BYTES !== 0 || !aligned || offsetBytes > bytes.length) {
      throw new FsError("EINVAL", "a range must be whole cells of the shard");
    }
    target.set(bytes.subarray(offsetBytes, end));
    return {
      sizeBytes: bytes.length,
      bytes: target.subarray(0, end - offsetBytes),
      cellCrcs: cellCrcs.slice(offsetBytes / CELL_BYTES, Math.ceil(end / CELL_BYTES)),
    };
  }

  async head(id: ShardId, signal?: AbortSignal): Promise<ShardInfo> {
    checkSignal(signal);
    return { id, sizeBytes: this.#find(id).bytes.length };
  }

  async headMany(
    ids: readonly ShardId[],
    signal?: AbortSignal,
  ): Promise<(ShardInfo | undefined)[]> {
    checkSignal(signal);
    return ids.map((id) => {
      const shard = this.#shards.get(formatShardId(id));
      return shard && { id, sizeBytes: shard.bytes.length };
    });
  }

  async deleteMany(ids: readonly ShardId[], signal?: AbortSignal): Promise<void> {
    checkSignal(signal);
    for (const id of ids) {
      this.#shards.delete(formatShardId(id));
      this.#parked.delete(formatShardId(id));
      this.secured.delete(formatShardId(id));
    }
  }

  async park(ids: readonly ShardId[], signal?: AbortSignal): Promise<void> {
    checkSignal(signal);
    for (const name of ids.map(formatShardId)) {
      const shard = this.#shards.get(name);
      if (shard === undefined) continue;
      this.#shards.delete(name);
      this.secured.delete(name);
      this.#parked.set(name, shard);
    }
  }

  async unpark(ids: readonly ShardId[], signal?: AbortSignal): Promise<boolean[]> {
    checkSignal(signal);
    return ids.map((id) => {
      const name = formatShardId(id);
      const shard = this.#parked.get(name);
      if (shard !== undefined && !this.#shards.has(name)) this.#shards.set(name, shard);
      this.#parked.delete(name);
      return this.#shards.has(name);
    });
  }

  async list(pool: PoolId, pg: number, cursor?: string): Promise<ShardPage> {
    const after = Buffer.from(cursor ?? "", "hex");
    const found = [...this.#shards.values()]
      .filter((shard) => shard.id.pool === pool && shard.id.pg === pg)
      .filter((shard) => Buffer.compare(shard.key, after) > 0)
      .sort((a, b) => Buffer.compare(a.key, b.key));
    const page = found.slice(0, MAX_SHARD_PAGE);
    const shards = page.map(({ id, bytes }) => ({ id, sizeBytes: bytes.length }));
    const last = found.length > page.length ? page.at(-1) : undefined;
    return last === undefined ? { shards } : { shards, next: last.key.toString("hex") };
  }

  async groups(): Promise<[PoolId, number][]> {
    const pairs = new Map<string, [PoolId, number]>();
    for (const { id } of this.#shards.values()) pairs.set(`${id.pool}/${id.pg}`, [id.pool, id.pg]);
    return [...pairs.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  }

  async secure(
    ids: readonly ShardId[],
    depth: SecureDepth,
    signal?: AbortSignal,
  ): Promise<ShardVerdict[]> {
    checkSignal(signal);
    return ids.map((id) => {
      const name = formatShardId(id);
      const shard = this.#shards.get(name);
      if (shard === undefined) return "missing";
      if (depth === "every" && TEST_SEAL.corruptCells(id, shard.bytes, shard.cellCrcs).length > 0) {
        this.#shards.delete(name);
        this.secured.delete(name);
        this.#quarantined++;
        return "spoilt";
      }
      this.secured.add(name);
      return "secure";
    });
  }

  async rebuild(request: RebuildRequest, signal?: AbortSignal): Promise<ShardInfo> {
    const { tools } = this.#options;
    if (tools === undefined) throw new FsError("ENOSYS", "this fake was given no peers");
    const known = this.#shards.get(formatShardId(request.id));
    const [verdict] = await this.secure([request.id], "every", signal);
    if (known !== undefined && verdict === "secure") {
      return { id: request.id, sizeBytes: known.bytes.length };
    }
    const rebuild = new ShardRebuild(
      request,
      { tools, clock: systemClock, seal: TEST_SEAL },
      signal,
    );
    const sizeBytes = await rebuild.sizeBytes();
    const runs: Buffer[] = [];
    await rebuild.run({ write: (bytes) => void runs.push(Buffer.from(bytes)) });
    const bytes = Buffer.concat(runs);
    await this.put(request.id, {
      bytes,
      cellCrcs: TEST_SEAL.mask(request.id, crcsOf(bytes)),
    });
    this.secured.add(formatShardId(request.id));
    return { id: request.id, sizeBytes };
  }

  async stats(): Promise<NodeStats> {
    return {
      shards: this.#shards.size,
      usedBytes: this.#usedBytes(),
      capacityBytes: this.#options.capacityBytes ?? 2 ** 40,
      quarantined: this.#quarantined,
      parked: this.#parked.size,
      parkedBytes: bytesOf(this.#parked),
    };
  }

  #usedBytes(): number {
    return bytesOf(this.#shards);
  }

  #find(id: ShardId): StoredShard {
    const shard = this.#shards.get(formatShardId(id));
    if (shard === undefined) throw new FsError("ENOENT", `no shard ${formatShardId(id)} here`);
    return shard;
  }
}

function bytesOf(shards: ReadonlyMap<string, StoredShard>): number {
  return [...shards.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
}
