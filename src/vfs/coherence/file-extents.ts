// The committed extents of one open inode, fetched by chunk on demand, corrected by this mount's
// own commits, and trusted for a bounded time.
import type { Ino } from "../../domain/ids.ts";
import type { Extent } from "../../domain/layout.ts";
import type { ChunkExtents, MetaService } from "../../protocol/meta/meta-service.ts";
import type { CachedExtents, ExtentCache } from "./extent-cache.ts";
import { IntervalMap } from "./interval-map.ts";
import { MAX_EXTENTS_AGE_MS } from "./limits.ts";
import type { Validity } from "./validity.ts";

/** What the file's attributes say about the age of what is cached. */
export interface Freshness {
  /** Changes whenever the file may have changed, by anybody. */
  readonly version: number;
  /** Until when `version` is known to be the server's, monotonic ms. */
  readonly freshUntilMs: number;
}

/** An own commit put `extent` into the chunk. */
export interface CommittedExtent {
  chunk: number;
  extent: Extent;
}

class CachedChunk implements CachedExtents {
  readonly map: IntervalMap;
  validUntilMs: number;
  /** Version of the file at which the extents were asked for; undefined after an own commit. */
  version: number | undefined;
  /**
   * From then on they are asked for anew though the file has not changed: its bytes may have been
   * moved, and what they were moved from is deleted after a grace.
   */
  readonly oldAtMs: number;
  readonly #onDrop: () => void;

  constructor(
    map: IntervalMap,
    times: { validUntilMs: number; oldAtMs: number },
    version: number | undefined,
    onDrop: () => void,
  ) {
    this.map = map;
    this.validUntilMs = times.validUntilMs;
    this.oldAtMs = times.oldAtMs;
    this.version = version;
    this.#onDrop = onDrop;
  }

  get weightBytes(): number {
    return this.map.weightBytes;
  }

  drop(): void {
    this.#onDrop();
  }
}

export class FileExtents {
  readonly #meta: Pick<MetaService, "extents">;
  readonly #cache: ExtentCache;
  readonly #ino: Ino;
  readonly #validity: Validity;
  readonly #chunks = new Map<number, CachedChunk>();
  readonly #fetches = new Map<number, Promise<IntervalMap>>();
  /** Own commits acknowledged while a fetch is under way: its reply may not have them yet. */
  readonly #commitLogs = new Set<CommittedExtent[]>();
  #generation = 0;

  constructor(
    shared: {
      readonly meta: Pick<MetaService, "extents">;
      readonly extentCache: ExtentCache;
      readonly validity: Validity;
    },
    ino: Ino,
  ) {
    this.#meta = shared.meta;
    this.#cache = shared.extentCache;
    this.#validity = shared.validity;
    this.#ino = ino;
  }

  /** The chunk's extents where they can be trusted at `nowMs`. */
  get(chunk: number, nowMs: number, freshness: Freshness): IntervalMap | undefined {
    const cached = this.#chunks.get(chunk);
    if (cached === undefined || nowMs >= cached.oldAtMs) return undefined;
    if (nowMs < cached.validUntilMs) return cached.map;
    if (cached.version !== freshness.version || nowMs >= freshness.freshUntilMs) return undefined;
    cached.validUntilMs = freshness.freshUntilMs;
    return cached.map;
  }

  /** What is cached, however old: for a read that has just fetched it. */
  peek(chunk: number): IntervalMap | undefined {
    return this.#chunks.get(chunk)?.map;
  }

  /** Asks the server. @throws FsError of extents() */
  fetch(chunk: number, nowMs: number, version: number): Promise<IntervalMap> {
    const underWay = this.#fetches.get(chunk);
    if (underWay !== undefined) return underWay;
    const fetch = this.#fetch(chunk, nowMs, version).finally(() => this.#fetches.delete(chunk));
    this.#fetches.set(chunk, fetch);
    return fetch;
  }

  /** Extents that came with another reply, asked for at `nowMs`. */
  install(chunk: ChunkExtents, nowMs: number, version: number): IntervalMap {
    const map = new IntervalMap(chunk.extents);
    this.#set(chunk.chunk, map, nowMs, version);
    return map;
  }

  /** An own commit was acknowledged: lays its extents over what is cached. */
  committed(extents: readonly CommittedExtent[]): void {
    for (const cached of this.#chunks.values()) cached.version = undefined;
    for (const log of this.#commitLogs) log.push(...extents);
    const changed = new Set<CachedChunk>();
    for (const { chunk, extent } of extents) {
      const cached = this.#chunks.get(chunk);
      if (cached === undefined) continue;
      cached.map.insert(extent);
      changed.add(cached);
    }
    for (const cached of changed) this.#cache.keep(cached);
  }

  /** Nothing cached or being fetched may be used any more. */
  invalidate(): void {
    this.#generation += 1;
    for (const cached of this.#chunks.values()) this.#cache.forget(cached);
    this.#chunks.clear();
  }

  async #fetch(chunk: number, askedMs: number, version: number): Promise<IntervalMap> {
    for (;;) {
      const generation = this.#generation;
      const log: CommittedExtent[] = [];
      this.#commitLogs.add(log);
      let reply: ChunkExtents | undefined;
      try {
        [reply] = await this.#meta.extents(this.#ino, [chunk]);
      } finally {
        this.#commitLogs.delete(log);
      }
      if (generation !== this.#generation) continue;
      const map = new IntervalMap(reply?.extents);
      for (const own of log) if (own.chunk === chunk) map.insert(own.extent);
      this.#set(chunk, map, askedMs, log.length > 0 ? undefined : version);
      return map;
    }
  }

  #set(chunk: number, map: IntervalMap, askedMs: number, version: number | undefined): void {
    const old = this.#chunks.get(chunk);
    if (old !== undefined) this.#cache.forget(old);
    const times = {
      validUntilMs: this.#validity.untilMs(askedMs),
      oldAtMs: askedMs + MAX_EXTENTS_AGE_MS,
    };
    const cached = new CachedChunk(map, times, version, () => {
      if (this.#chunks.get(chunk) === cached) this.#chunks.delete(chunk);
    });
    this.#chunks.set(chunk, cached);
    this.#cache.keep(cached);
  }
}
