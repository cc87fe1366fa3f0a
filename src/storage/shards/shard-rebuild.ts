// Bringing back one shard from its peers: copied from a node that has the same slot, else decoded
// from any k others, run by run, so that memory stays bounded and a failing source costs one run.
import type { CellSeal } from "../../codec/cell-seal.ts";
import { FsError } from "../../domain/errno.ts";
import { formatShardId, type ShardId } from "../../domain/ids.ts";
import type { CodingPolicy } from "../../domain/layout.ts";
import { CELL_BYTES } from "../../domain/format.ts";
import { REBUILD_RUN_CELLS, REBUILD_SOURCE_TIMEOUT_MS } from "./limits.ts";
import type { Clock } from "../../platform/clock.ts";
import { deadline } from "../../platform/deadline.ts";
import { checkSignal } from "../../protocol/shard/shard-exchange.ts";
import type {
  RebuildRequest,
  ShardService,
  ShardSource,
} from "../../protocol/shard/shard-service.ts";
import type { ShardReception } from "./shard-reception.ts";

export interface RebuildTools {
  /** The service of a peer; whoever gives it closes it. */
  connect: (peer: Pick<ShardSource, "url" | "node">) => ShardService;
  /**
   * Decodes `targets` from exactly k `sources`; both by slot, holes undefined, all of one length
   * that starts at a cell boundary.
   */
  reconstruct: (
    policy: CodingPolicy,
    sources: (Uint8Array | undefined)[],
    targets: (Uint8Array | undefined)[],
  ) => Promise<void>;
}

/** Takes the rebuilt bytes in order. */
export interface RebuildSink {
  write(bytes: Uint8Array): void | Promise<void>;
}

/** A store, as a rebuild sees it. */
export interface RebuildTarget {
  receive(id: ShardId, sizeBytes: number): ShardReception | undefined;
  keep(reception: ShardReception): Promise<void>;
  abandon(reception: ShardReception): void;
}

/** @throws FsError EIO when too few peers have intact shards of the stripe */
export class ShardRebuild {
  readonly #request: RebuildRequest;
  readonly #tools: RebuildTools;
  readonly #clock: Pick<Clock, "after">;
  readonly #seal: CellSeal;
  readonly #signal: AbortSignal | undefined;
  /** Sources that haven't failed yet. */
  #alive: ShardSource[];
  #sizeBytes = 0;
  readonly #buffers = new Map<number, Buffer>();

  constructor(
    request: RebuildRequest,
    on: { tools: RebuildTools; clock: Pick<Clock, "after">; seal: CellSeal },
    signal?: AbortSignal,
  ) {
    this.#clock = on.clock;
    this.#seal = on.seal;
    this.#request = request;
    this.#tools = on.tools;
    this.#signal = signal;
    this.#alive = [...request.sources];
  }

  /** Size of the shard, asked from the sources; call it first. */
  async sizeBytes(): Promise<number> {
    for (const source of [...this.#alive]) {
      const info = await this.#attempt(source, async (peer, id, signal) => peer.head(id, signal));
      if (info !== undefined) {
        this.#sizeBytes = info.sizeBytes;
        return info.sizeBytes;
      }
    }
    throw this.#hopeless();
  }

  /** Has `store` receive and keep the shard; resolves to its size. */
  async runInto(store: RebuildTarget): Promise<number> {
    const sizeBytes = await this.sizeBytes();
    const reception = store.receive(this.#request.id, sizeBytes);
    if (reception === undefined) return sizeBytes;
    try {
      await this.run(reception);
    } catch (error) {
      store.abandon(reception);
      throw error;
    }
    await store.keep(reception);
    return sizeBytes;
  }

  /** Writes the whole shard into `sink`. */
  async run(sink: RebuildSink): Promise<void> {
    const runBytes = REBUILD_RUN_CELLS * CELL_BYTES;
    for (let offset = 0; offset < this.#sizeBytes; offset += runBytes) {
      const length = Math.min(runBytes, this.#sizeBytes - offset);
      await sink.write((await this.#copy(offset, length)) ?? (await this.#decode(offset, length)));
    }
  }

  async #copy(offset: number, length: number): Promise<Uint8Array | undefined> {
    for (const source of this.#alive.filter(({ slot }) => slot === this.#request.id.slot)) {
      const bytes = await this.#fetch(source, offset, length);
      if (bytes !== undefined) return bytes;
    }
    return undefined;
  }

  async #decode(offset: number, length: number): Promise<Uint8Array> {
    const { policy, id } = this.#request;
    const slots = policy.k + policy.m;
    if (id.slot >= slots) throw new FsError("EINVAL", `no shard ${id.slot} of ${slots}`);
    if (length % 8 !== 0)
      throw new FsError("EIO", `peers have a shard of ${this.#sizeBytes} bytes`);
    const sources = new Array<Uint8Array | undefined>(slots).fill(undefined);
    for (let missing = policy.k; missing > 0;) {
      const chosen = this.#candidates(sources).slice(0, missing);
      if (chosen.length < missing) throw this.#hopeless();
      await Promise.all(
        chosen.map(async (source) => {
          const bytes = await this.#fetch(source, offset, length);
          if (bytes === undefined) return;
          sources[source.slot] = bytes;
          missing--;
        }),
      );
    }
    const targets = new Array<Uint8Array | undefined>(slots).fill(undefined);
    const target = this.#buffer(id.slot).subarray(0, length);
    targets[id.slot] = target;
    await this.#tools.reconstruct(policy, sources, targets);
    return target;
  }

  /** One living source for each other slot that `sources` lacks. */
  #candidates(sources: readonly (Uint8Array | undefined)[]): ShardSource[] {
    const bySlot = new Map<number, ShardSource>();
    for (const source of this.#alive) {
      const wanted = source.slot !== this.#request.id.slot && source.slot < sources.length;
      if (wanted && sources[source.slot] === undefined && !bySlot.has(source.slot)) {
        bySlot.set(source.slot, source);
      }
    }
    return [...bySlot.values()];
  }

  #fetch(source: ShardSource, offset: number, length: number): Promise<Uint8Array | undefined> {
    return this.#attempt(source, async (peer, id, signal) => {
      const target = this.#buffer(source.slot).subarray(0, length);
      const slab = await peer.get(id, offset, target, signal);
      if (slab.sizeBytes !== this.#sizeBytes || slab.bytes.length !== length) {
        throw new FsError("EBADMSG", `${source.url} has a shard of another size`);
      }
      const { bytes, cellCrcs } = slab;
      if (this.#seal.corruptCells(id, bytes, cellCrcs, offset / CELL_BYTES).length > 0) {
        throw new FsError("EBADMSG", `${source.url} has a spoilt shard`);
      }
      return bytes;
    });
  }

  /** What `ask` brings, or undefined: then the source has failed and isn't asked again. */
  async #attempt<T>(
    source: ShardSource,
    ask: (peer: ShardService, id: RebuildRequest["id"], signal: AbortSignal) => Promise<T>,
  ): Promise<T | undefined> {
    checkSignal(this.#signal);
    using limit = deadline(this.#clock, REBUILD_SOURCE_TIMEOUT_MS);
    const signals = this.#signal === undefined ? [] : [this.#signal];
    const signal = AbortSignal.any([limit.signal, ...signals]);
    try {
      const id = { ...this.#request.id, slot: source.slot };
      return await ask(this.#tools.connect(source), id, signal);
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      this.#alive = this.#alive.filter((other) => other !== source);
      return undefined;
    }
  }

  #buffer(slot: number): Buffer {
    const known = this.#buffers.get(slot);
    if (known !== undefined) return known;
    const buffer = Buffer.allocUnsafeSlow(
      Math.min(REBUILD_RUN_CELLS * CELL_BYTES, this.#sizeBytes),
    );
    this.#buffers.set(slot, buffer);
    return buffer;
  }

  #hopeless(): FsError {
    const name = formatShardId(this.#request.id);
    return new FsError("EIO", `too few peers have intact shards to rebuild ${name}`);
  }
}
