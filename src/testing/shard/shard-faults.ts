// A ShardService whose calls fail, hang, dawdle or bring spoilt bytes when a test says so.
import { FsError, type ErrnoName } from "../../domain/errno.ts";
import type { PoolId, ShardId } from "../../domain/ids.ts";
import { abortError } from "../../protocol/shard/shard-exchange.ts";
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

export type ShardMethod = Exclude<keyof ShardService, symbol>;

export interface FaultScope {
  /** How many calls it hits before it heals by itself; for ever unless said. */
  times?: number;
  /** Only calls for shards that this accepts (batches: any of them). */
  where?: (id: ShardId) => boolean;
}

interface Fault {
  method: ShardMethod | "*";
  kind: "fail" | "hang" | "delay" | "corrupt" | "mistake";
  scope: FaultScope;
  left: number;
  code: ErrnoName;
  /** Ends a delay. */
  until: Promise<void>;
}

export class FaultyShardService implements ShardService {
  /** Calls made so far, in order, for a test to count. */
  readonly calls: { method: ShardMethod; ids: readonly ShardId[] }[] = [];
  readonly #inner: ShardService;
  #faults: Fault[] = [];
  #another: (id: ShardId) => ShardId = (id) => id;

  constructor(inner: ShardService) {
    this.#inner = inner;
  }

  /** Calls reject with `code` without reaching the node. */
  fail(method: ShardMethod | "*", code: ErrnoName, scope: FaultScope = {}): void {
    this.#add({ method, kind: "fail", scope, code });
  }

  /** Calls answer nothing until their signal ends them, as a stopped process does. */
  hang(method: ShardMethod | "*" = "*", scope: FaultScope = {}): void {
    this.#add({ method, kind: "hang", scope });
  }

  /** Calls reach the node only when `until` resolves. */
  delay(method: ShardMethod | "*", until: Promise<void>, scope: FaultScope = {}): void {
    this.#add({ method, kind: "delay", scope, until });
  }

  /** Gets bring bytes with one bit flipped; the checksums stay. */
  corrupt(scope: FaultScope = {}): void {
    this.#add({ method: "get", kind: "corrupt", scope });
  }

  /** Gets bring another shard, as it stands with its checksums: one that `another` finds. */
  mistake(another: (id: ShardId) => ShardId, scope: FaultScope = {}): void {
    this.#another = another;
    this.#add({ method: "get", kind: "mistake", scope });
  }

  /** Ends all faults; what hangs goes on hanging. */
  heal(): void {
    this.#faults = [];
  }

  async put(id: ShardId, payload: ShardPayload, signal?: AbortSignal): Promise<void> {
    await this.#enter("put", [id], signal);
    await this.#inner.put(id, payload, signal);
  }

  async get(
    id: ShardId,
    offsetBytes: number,
    target: Uint8Array,
    signal?: AbortSignal,
  ): Promise<ShardSlab> {
    const { corrupt, mistake } = await this.#enter("get", [id], signal);
    const brought = mistake ? this.#another(id) : id;
    const slab = await this.#inner.get(brought, offsetBytes, target, signal);
    if (corrupt && slab.bytes.length > 0) slab.bytes[0] = (slab.bytes[0] ?? 0) ^ 1;
    return slab;
  }

  async head(id: ShardId, signal?: AbortSignal): Promise<ShardInfo> {
    await this.#enter("head", [id], signal);
    return this.#inner.head(id, signal);
  }

  async headMany(
    ids: readonly ShardId[],
    signal?: AbortSignal,
  ): Promise<(ShardInfo | undefined)[]> {
    await this.#enter("headMany", ids, signal);
    return this.#inner.headMany(ids, signal);
  }

  async deleteMany(ids: readonly ShardId[], signal?: AbortSignal): Promise<void> {
    await this.#enter("deleteMany", ids, signal);
    await this.#inner.deleteMany(ids, signal);
  }

  async park(ids: readonly ShardId[], signal?: AbortSignal): Promise<void> {
    await this.#enter("park", ids, signal);
    await this.#inner.park(ids, signal);
  }

  async unpark(ids: readonly ShardId[], signal?: AbortSignal): Promise<boolean[]> {
    await this.#enter("unpark", ids, signal);
    return this.#inner.unpark(ids, signal);
  }

  async list(pool: PoolId, pg: number, cursor?: string, signal?: AbortSignal): Promise<ShardPage> {
    await this.#enter("list", [], signal);
    return this.#inner.list(pool, pg, cursor, signal);
  }

  async groups(signal?: AbortSignal): Promise<[PoolId, number][]> {
    await this.#enter("groups", [], signal);
    return this.#inner.groups(signal);
  }

  async secure(
    ids: readonly ShardId[],
    depth: SecureDepth,
    signal?: AbortSignal,
  ): Promise<ShardVerdict[]> {
    await this.#enter("secure", ids, signal);
    return this.#inner.secure(ids, depth, signal);
  }

  async rebuild(request: RebuildRequest, signal?: AbortSignal): Promise<ShardInfo> {
    await this.#enter("rebuild", [request.id], signal);
    return this.#inner.rebuild(request, signal);
  }

  async stats(signal?: AbortSignal): Promise<NodeStats> {
    await this.#enter("stats", [], signal);
    return this.#inner.stats(signal);
  }

  #add(fault: Pick<Fault, "method" | "kind" | "scope"> & Partial<Fault>): void {
    const left = fault.scope.times ?? Infinity;
    this.#faults.push({ code: "EIO", until: Promise.resolve(), ...fault, left });
  }

  /** Applies the faults that match; tells what is to become of the bytes. */
  async #enter(
    method: ShardMethod,
    ids: readonly ShardId[],
    signal: AbortSignal | undefined,
  ): Promise<{ corrupt: boolean; mistake: boolean }> {
    this.calls.push({ method, ids });
    if (signal?.aborted === true) throw abortError(signal);
    const kinds = new Set<Fault["kind"]>();
    for (const fault of this.#faults.filter((candidate) => hits(candidate, method, ids))) {
      fault.left--;
      if (fault.kind === "fail") throw new FsError(fault.code, `injected ${fault.code}`);
      if (fault.kind === "hang") await aborted(signal);
      if (fault.kind === "delay") await Promise.race([fault.until, aborted(signal)]);
      kinds.add(fault.kind);
    }
    return { corrupt: kinds.has("corrupt"), mistake: kinds.has("mistake") };
  }
}

function hits(fault: Fault, method: ShardMethod, ids: readonly ShardId[]): boolean {
  const { where } = fault.scope;
  if (fault.left <= 0 || (fault.method !== "*" && fault.method !== method)) return false;
  return where === undefined || ids.some((id) => where(id));
}

/** Never resolves; rejects when the signal ends the call. */
function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal?.addEventListener("abort", () => reject(abortError(signal)), { once: true });
  });
}
