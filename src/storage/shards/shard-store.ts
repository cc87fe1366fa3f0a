// One node's shards: the index and the files kept in step, and every promise of ShardService.
import { CellSeal } from "../../codec/cell-seal.ts";
import { FsError } from "../../domain/errno.ts";
import { formatShardId, type PoolId, type ShardId } from "../../domain/ids.ts";
import { CELL_BYTES, MAX_SHARD_BYTES } from "../../domain/format.ts";
import { MAX_BATCH_SHARDS, MAX_SHARD_PAGE } from "../../protocol/shard/limits.ts";
import { DEFAULT_TRASH_KEEP_MS, MAX_REBUILDS } from "./limits.ts";
import type { Clock } from "../../platform/clock.ts";
import { checkSignal } from "../../protocol/shard/shard-exchange.ts";
import { shardKey, SHARD_KEY_BYTES } from "../../protocol/shard/shard-key.ts";
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
import { checkPayload, checkShardSize } from "../../protocol/shard/shard-wire.ts";
import { DiskLane } from "../disk/disk-lane.ts";
import type { Disk, DiskFigures } from "../../platform/disk/disk.ts";
import type { OpenStore } from "../../platform/store/ordered-store.ts";
import { DiskSpace } from "../disk/disk-space.ts";
import { deferred } from "../../platform/flow/deferred.ts";
import { WorkLimit } from "../../platform/flow/work-limit.ts";
import { ShardCustody } from "./shard-custody.ts";
import { ShardFiles } from "./shard-files.ts";
import { ShardFlusher } from "./shard-flusher.ts";
import { indexDirectory, markFlushFailed, salvageIndex } from "./index-salvage.ts";
import { ShardIndex } from "./shard-index.ts";
import { ShardReading } from "./shard-reading.ts";
import { ShardRebuild, type RebuildTools } from "./shard-rebuild.ts";
import type { Damage } from "./shard-record.ts";
import { ShardReception } from "./shard-reception.ts";
import { ShardSecuring, type Acknowledged } from "./shard-securing.ts";
import { TrashKeeper } from "./trash-keeper.ts";

export interface ShardStoreOptions {
  directory: string;
  /** Id of the cluster whose shards these are; undefined before the node has joined one. */
  cluster: () => string | undefined;
  /** What all shards together may take; the disk's size unless said. */
  capacityBytes?: number;
  /** How long shards stay in the trash; a day unless said. */
  trashKeepMs?: number;
  /** What rebuild needs; without it rebuild is ENOSYS. */
  rebuild?: RebuildTools;
  /** Told of each shard found spoilt or gone. */
  onDamage?: (id: ShardId, kind: Damage) => void;
  clock: Clock;
  disk: Disk;
  openStore: OpenStore;
}

export class ShardStore implements ShardService, AsyncDisposable {
  readonly #options: ShardStoreOptions;
  readonly #clock: Clock;
  readonly #index: ShardIndex;
  readonly #files: ShardFiles;
  readonly #flusher: ShardFlusher;
  readonly #space: DiskSpace;
  readonly #lane: DiskLane;
  readonly #custody: ShardCustody;
  readonly #securing: ShardSecuring;
  readonly #trash: TrashKeeper;
  readonly #rebuilds = new WorkLimit(MAX_REBUILDS);
  /** Wall clock: files older than this without an index entry are leftovers of an earlier start. */
  readonly #startedMs: number;
  #knownSeal: CellSeal | undefined;

  /** Rejects when the index can't be flushed: the process must end, its word is worth nothing. */
  readonly failed: Promise<never>;

  private constructor(
    options: ShardStoreOptions,
    index: ShardIndex,
    files: ShardFiles,
    failed: Promise<never>,
  ) {
    const { directory } = options;
    this.failed = failed;
    this.#options = options;
    this.#clock = options.clock;
    this.#index = index;
    this.#files = files;
    this.#flusher = new ShardFlusher(files, this.#clock, (id, kind, isCurrent) =>
      this.#custody.condemn(id, kind, isCurrent),
    );
    const parts = { index, files, flusher: this.#flusher, clock: this.#clock };
    this.#custody = new ShardCustody(parts, (id, kind) => options.onDamage?.(id, kind));
    const read = (id: ShardId): ShardReading => this.read(id, 0, MAX_SHARD_BYTES);
    const seal = (): CellSeal => this.#seal();
    this.#securing = new ShardSecuring({ ...parts, custody: this.#custody, read, seal });
    const measure = (): DiskFigures => options.disk.figures(directory);
    this.#space = new DiskSpace(this.#clock, measure, options.capacityBytes);
    this.#lane = new DiskLane(this.#clock);
    this.#trash = new TrashKeeper({
      ...parts,
      custody: this.#custody,
      space: this.#space,
      keepMs: options.trashKeepMs ?? DEFAULT_TRASH_KEEP_MS,
    });
    this.#startedMs = this.#clock.nowMs();
  }

  /** Opens the store in `options.directory`, making it when missing. One process at a time. */
  static async open(options: ShardStoreOptions): Promise<ShardStore> {
    const files = await ShardFiles.open(options.disk, options.directory);
    const { promise: failed, reject } = deferred<never>();
    failed.catch(() => undefined);
    const { clock, disk, directory, openStore } = options;
    const onBroken = (error: FsError): void => {
      markFlushFailed(disk, directory);
      reject(error);
    };
    await salvageIndex(disk, directory, openStore);
    const index = await ShardIndex.open(indexDirectory(directory), {
      clock,
      openStore,
      onBroken,
      mayBeNew: (await files.groups()).length === 0,
    });
    return new ShardStore(options, index, files, failed);
  }

  async close(): Promise<void> {
    try {
      await this.flush({ untilMs: Infinity, sequence: this.#index.committed });
      const { start, areEarlierFlushed } = this.#index;
      if (areEarlierFlushed) await this.#index.settle(start);
    } finally {
      await this.#index.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async put(id: ShardId, payload: ShardPayload, signal?: AbortSignal): Promise<void> {
    checkSignal(signal);
    checkPayload(payload);
    const reception = this.receive(id, payload.bytes.length, payload.cellCrcs);
    if (reception === undefined) return;
    try {
      await reception.write(payload.bytes);
    } catch (error) {
      this.abandon(reception);
      throw error;
    }
    await this.keep(reception);
  }

  /**
   * Begins to take a shard whose bytes come bit by bit; end it with `keep` or `abandon`. Undefined
   * when the very same shard is known to stand.
   * @throws FsError EEXIST, ENOSPC, EINVAL, EIO
   */
  receive(id: ShardId, sizeBytes: number, cellCrcs?: Uint32Array): ShardReception | undefined {
    checkShardSize(sizeBytes);
    if (cellCrcs !== undefined && this.#custody.holds(id, sizeBytes, cellCrcs)) return undefined;
    const plain = cellCrcs && this.#seal().mask(id, cellCrcs);
    this.#trash.makeRoom();
    this.#space.reserve(sizeBytes, this.#index.usedBytes + this.#index.trash.usedBytes);
    try {
      return new ShardReception(id, sizeBytes, plain, { files: this.#files, lane: this.#lane });
    } catch (error) {
      this.#space.settle(sizeBytes, false);
      throw error;
    }
  }

  /** Keeps a shard that has arrived whole; resolves when a kill of the process can't undo it. */
  async keep(reception: ShardReception): Promise<void> {
    let kept = false;
    try {
      const received = reception.finish();
      const cellCrcs = this.#seal().mask(reception.id, received.cellCrcs);
      kept = await this.#custody.keep(reception, { ...received, cellCrcs });
    } finally {
      reception.abort();
      this.#space.settle(reception.sizeBytes, kept);
    }
  }

  /** Drops a shard that has arrived in part or spoilt. */
  abandon(reception: ShardReception): void {
    reception.abort();
    this.#space.settle(reception.sizeBytes, false);
  }

  async get(
    id: ShardId,
    offsetBytes: number,
    target: Uint8Array,
    signal?: AbortSignal,
  ): Promise<ShardSlab> {
    checkSignal(signal);
    const reading = this.read(id, offsetBytes, target.length);
    try {
      const bytes = target.subarray(0, reading.lengthBytes);
      await reading.readInto(bytes, 0);
      return { sizeBytes: reading.sizeBytes, bytes, cellCrcs: reading.cellCrcs };
    } catch (error) {
      throw await this.spoilt(reading, error);
    } finally {
      reading.close();
    }
  }

  /**
   * Opens a run of whole cells for reading; close it afterwards. An error that its `readInto`
   * throws goes through `spoilt`.
   * @throws FsError ENOENT, EINVAL
   */
  read(id: ShardId, offsetBytes: number, lengthBytes: number): ShardReading {
    const record = this.#custody.record(id);
    const end = Math.min(record.sizeBytes, offsetBytes + lengthBytes);
    const aligned = end % CELL_BYTES === 0 || end === record.sizeBytes;
    if (offsetBytes % CELL_BYTES !== 0 || !aligned || offsetBytes > record.sizeBytes) {
      throw new FsError("EINVAL", "a range must be whole cells of the shard");
    }
    const packedBytes = record.packed ? this.#index.getPacked(id) : undefined;
    const disk = { files: this.#files, lane: this.#lane };
    const range = { offsetBytes, lengthBytes: end - offsetBytes };
    try {
      return new ShardReading(id, record, range, packedBytes, disk);
    } catch (error) {
      if (error instanceof FsError && error.code === "ENOENT") {
        void this.#custody.discover(id, "missing", record).catch(() => undefined);
      }
      throw error;
    }
  }

  /** What to tell a reader whose reading failed; a shard that is spoilt is first set aside. */
  async spoilt(reading: ShardReading, error: unknown): Promise<FsError> {
    if (!(error instanceof FsError)) {
      return new FsError("EIO", "shard cannot be read", { cause: error });
    }
    if (error.code === "EBADMSG" || error.code === "EIO") {
      await this.#custody.discover(reading.id, "corrupt", reading.record);
    }
    return error;
  }

  async head(id: ShardId): Promise<ShardInfo> {
    return Promise.resolve({ id, sizeBytes: this.#custody.record(id).sizeBytes });
  }

  async headMany(ids: readonly ShardId[]): Promise<(ShardInfo | undefined)[]> {
    const infos = ids.map((id) => {
      const record = this.#index.get(id);
      return record && { id, sizeBytes: record.sizeBytes };
    });
    return Promise.resolve(infos);
  }

  async deleteMany(ids: readonly ShardId[], signal?: AbortSignal): Promise<void> {
    for (let at = 0; at < ids.length; at += MAX_BATCH_SHARDS) {
      checkSignal(signal);
      await Promise.all(ids.slice(at, at + MAX_BATCH_SHARDS).map((id) => this.#custody.delete(id)));
    }
  }

  park(ids: readonly ShardId[], signal?: AbortSignal): Promise<void> {
    return this.#trash.park(ids, signal);
  }

  unpark(ids: readonly ShardId[], signal?: AbortSignal): Promise<boolean[]> {
    return this.#trash.unpark(ids, signal);
  }

  /** Removes what has been in the trash long enough; resolves to how many shards. */
  emptyTrash(): Promise<number> {
    return this.#trash.empty();
  }

  async list(pool: PoolId, pg: number, cursor?: string): Promise<ShardPage> {
    const after = cursor === undefined ? undefined : Buffer.from(cursor, "hex");
    if (after !== undefined && after.length !== SHARD_KEY_BYTES) {
      throw new FsError("EINVAL", "that is no cursor of a shard listing");
    }
    const shards = this.#index.page(pool, pg, after, MAX_SHARD_PAGE);
    const last = shards.length === MAX_SHARD_PAGE ? shards.at(-1) : undefined;
    const page =
      last === undefined ? { shards } : { shards, next: shardKey(last.id).toString("hex") };
    return Promise.resolve(page);
  }

  groups(): Promise<[PoolId, number][]> {
    return Promise.resolve(this.#index.groups());
  }

  secure(
    ids: readonly ShardId[],
    depth: SecureDepth,
    signal?: AbortSignal,
  ): Promise<ShardVerdict[]> {
    return this.#securing.secure(ids, depth, signal);
  }

  /** What has been acknowledged by now, for `flush`. */
  acknowledged(): Acknowledged {
    return { untilMs: this.#clock.monotonicMs(), sequence: this.#index.committed };
  }

  /**
   * Brings to disk what had been acknowledged, and keeps in mind that it is there.
   * @throws FsError EIO: some of it can't be; the rest is
   */
  flush(acknowledged: Acknowledged): Promise<void> {
    return this.#securing.flush(acknowledged);
  }

  /**
   * Looks at what earlier starts may not have brought to disk before they ended, once: after a
   * power cut that is where shards are missing. Returns how many were; tells of those that can't be
   * looked at, for which the next start does it again.
   */
  secureEarlier(onUnclear: (error: FsError) => void, signal?: AbortSignal): Promise<number> {
    return this.#securing.secureEarlier(onUnclear, signal);
  }

  rebuild(request: RebuildRequest, signal?: AbortSignal): Promise<ShardInfo> {
    return this.#rebuilds.run(1, undefined, async () => {
      const { id } = request;
      const { rebuild: tools } = this.#options;
      const standing = this.#index.get(id);
      if (standing !== undefined && (await this.#isSecure(id, "every", signal))) {
        return { id, sizeBytes: standing.sizeBytes };
      }
      if (tools === undefined) throw new FsError("ENOSYS", "this node cannot ask its peers");
      const world = { tools, clock: this.#clock, seal: this.#seal() };
      const sizeBytes = await new ShardRebuild(request, world, signal).runInto(this);
      // Its bytes were compared with the sources' checksums, or decoded from such, as they came.
      if (await this.#isSecure(id, "unseen", signal)) return { id, sizeBytes };
      throw new FsError("EIO", `rebuilt shard ${formatShardId(id)} did not come to stand whole`);
    });
  }

  async #isSecure(id: ShardId, depth: SecureDepth, signal?: AbortSignal): Promise<boolean> {
    const [verdict] = await this.secure([id], depth, signal);
    return verdict === "secure";
  }

  /** Number of this start of the node, one more than the last one's. */
  get start(): number {
    return this.#index.start;
  }

  /** @throws FsError EIO before the node has joined a cluster, when it has no shards either */
  #seal(): CellSeal {
    const cluster = this.#options.cluster();
    if (cluster === undefined) throw new FsError("EIO", "this node belongs to no cluster yet");
    // A node's cluster never changes.
    this.#knownSeal ??= new CellSeal(cluster);
    return this.#knownSeal;
  }

  stats(): Promise<NodeStats> {
    const { shards, usedBytes, trash } = this.#index;
    return Promise.resolve({
      shards,
      usedBytes,
      capacityBytes: this.#space.capacityBytes(usedBytes, trash.usedBytes),
      quarantined: this.#files.quarantined,
      parked: trash.shards,
      parkedBytes: trash.usedBytes,
    });
  }

  /** The shard behind `after` in key order; undefined at the end. For walks over all shards. */
  next(after: ShardId | undefined): ShardInfo | undefined {
    const id = this.#index.next(after);
    return id && { id, sizeBytes: this.#index.get(id)?.sizeBytes ?? 0 };
  }

  /** Where a walk stopped, kept over restarts. */
  walkPosition(name: string): Buffer | undefined {
    return this.#index.getState(name);
  }

  async keepWalkPosition(name: string, position: Buffer): Promise<void> {
    await this.#index.putState(name, position);
  }

  /** Removes files that a crash of an earlier start has left; returns how many. */
  sweepLeftovers(signal?: AbortSignal): Promise<number> {
    return this.#custody.sweepLeftovers(this.#startedMs, signal);
  }
}
