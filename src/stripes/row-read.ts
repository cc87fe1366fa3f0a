// Reads the same run of cells of some data shards of a stripe. Asks for those alone while all goes
// well; a shard that is missing, spoilt or slow is made up for by spares, and decoded from any k.
import { FsError, isFsError } from "../domain/errno.ts";
import type { NodeId } from "../domain/ids.ts";
import { CELL_BYTES } from "../domain/format.ts";
import { cellCount, shardSizeBytes } from "../domain/layout.ts";
import { HEDGE_LATE_MS, LAST_RESORT_TIMEOUT_MS, SHARD_REQUEST_TIMEOUT_MS } from "./limits.ts";
import type { DamageReport } from "../protocol/meta/meta-service.ts";
import type { ShardSlab } from "../protocol/shard/shard-service.ts";
import type { GroupPlaces } from "./group-places.ts";
import type { NodeCall, NodeLink } from "./nodes/node-link.ts";
import { searchShards } from "./shard-search.ts";
import { SlotSearch } from "./slot-search.ts";
import type { StoreContext } from "./store-context.ts";

/** A run of whole cells, in bytes of a shard; the end is a cell's or the shard's. */
export interface CellRun {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** A data shard that is wanted and where its run goes: exactly the run's length. */
export interface WantedShard {
  readonly slot: number;
  readonly place: Uint8Array;
}

/** What to try when those asked have all answered and it isn't enough. */
type Stage = "readable" | "anyone" | "searching" | "searched";

interface Attempt {
  readonly search: SlotSearch;
  readonly link: NodeLink;
  readonly call: NodeCall<ShardSlab>;
  /** When it counts as slow, monotonic ms. */
  readonly slowAtMs: number;
}

export class RowRead {
  readonly #context: StoreContext;
  readonly #places: GroupPlaces;
  readonly #run: CellRun;
  readonly #wanted: readonly WantedShard[];
  /** By slot, those that have been needed so far. */
  readonly #slots: (SlotSearch | undefined)[] = [];
  readonly #attempts = new Set<Attempt>();
  readonly #settling: Promise<void>[] = [];
  readonly #scratch: Uint8Array<ArrayBuffer>[] = [];
  readonly #findings: { kind: DamageReport["kind"]; slot: number; node: NodeId }[] = [];
  readonly #failures: string[] = [];
  #stage: Stage = "readable";
  #anyoneUntilMs = 0;
  #cancelTimer: (() => void) | undefined;
  #isOver = false;
  #finish: () => void = () => undefined;
  #failure: Error | undefined;

  constructor(
    context: StoreContext,
    places: GroupPlaces,
    run: CellRun,
    wanted: readonly WantedShard[],
  ) {
    this.#context = context;
    this.#places = places;
    this.#run = run;
    this.#wanted = wanted;
  }

  /**
   * Fills the wanted places. Nothing writes to them afterwards, whatever the outcome.
   * @throws FsError EIO when fewer than k shards can be had; the signal's reason
   */
  async read(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const onAbort = (): void => this.#end(signal?.reason as Error);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      const finished = new Promise<void>((resolve) => (this.#finish = resolve));
      for (const { slot } of this.#wanted) this.#askReadable(this.#slot(slot));
      this.#advance();
      await finished;
      // Requests that were ended may still be letting go of their buffers.
      await Promise.all(this.#settling);
      if (this.#failure !== undefined) throw this.#failure;
      await this.#decode();
      this.#report();
    } finally {
      signal?.removeEventListener("abort", onAbort);
      for (const buffer of this.#scratch) this.#context.scratch.give(buffer);
    }
  }

  #slot(slot: number): SlotSearch {
    const known = this.#slots[slot];
    if (known !== undefined) return known;
    const search = new SlotSearch(slot, this.#candidatesOf(slot));
    this.#slots[slot] = search;
    return search;
  }

  /** Where the shard was last seen astray, then where placement has it. */
  #candidatesOf(slot: number): NodeLink[] {
    const { links, whereabouts } = this.#context;
    const found: NodeLink[] = [];
    const add = (node: NodeId): void => {
      const link = links.find(node);
      if (link !== undefined) found.push(link);
    };
    const stray = whereabouts.straysOf(this.#places.ref)?.[slot];
    if (stray !== undefined) add(stray);
    for (const { id } of this.#places.candidates[slot] ?? []) if (id !== stray) add(id);
    return found;
  }

  /** All slots of the stripe. */
  #allSlots(): SlotSearch[] {
    return Array.from({ length: this.#places.slotCount }, (_, slot) => this.#slot(slot));
  }

  /** Sees whether the read is done, and asks for as many spares as it takes to get there. */
  #advance(): void {
    if (this.#isOver) return;
    const { k } = this.#places.pool;
    let [had, asked, coming] = [0, 0, 0];
    for (const search of this.#slots) {
      if (search?.state === "have") had++;
      if (search?.state === "asking") asked++;
      if (search !== undefined && isComing(search)) coming++;
    }
    if (had >= k || this.#wanted.every(({ slot }) => this.#has(slot))) {
      this.#end();
      return;
    }
    if (!this.#wanted.every(({ slot }) => isComing(this.#slot(slot)))) {
      for (; coming < k && this.#askSpare(); coming++) asked++;
    }
    // When even all those asked could not make it, slow ones among them aren't waited for.
    const isHopeful = this.#wanted.every(({ slot }) => this.#slot(slot).state !== "idle");
    if (had + asked < k && !isHopeful) this.#tryHarder();
  }

  #has(slot: number): boolean {
    return this.#slots[slot]?.state === "have";
  }

  /**
   * Asks for the shard that failed least; parity first among the unwanted, XOR being the cheapest.
   */
  #askSpare(): boolean {
    const { k } = this.#places.pool;
    const isWanted = (slot: number): boolean => this.#wanted.some((shard) => shard.slot === slot);
    const cost = ({ slot, failures }: SlotSearch): number =>
      failures * 4 + (isWanted(slot) ? 0 : slot >= k ? 1 : 2);
    let best: SlotSearch | undefined;
    for (const search of this.#allSlots()) {
      if (search.state !== "idle" || !search.hasReadable) continue;
      if (best === undefined || cost(search) < cost(best)) best = search;
    }
    return best !== undefined && this.#askReadable(best);
  }

  #askReadable(search: SlotSearch): boolean {
    const link = search.takeReadable();
    if (link === undefined) return false;
    this.#ask(search, link, SHARD_REQUEST_TIMEOUT_MS);
    return true;
  }

  /** Those asked aren't enough and no spare is at hand: the next stage, or the end. */
  #tryHarder(): void {
    const nowMs = this.#context.clock.monotonicMs();
    if (this.#stage === "readable") {
      this.#stage = "anyone";
      this.#anyoneUntilMs = nowMs + LAST_RESORT_TIMEOUT_MS;
    }
    if (this.#stage === "anyone") {
      if (nowMs <= this.#anyoneUntilMs && this.#askAnyone()) return;
      this.#stage = "searching";
      void this.#searchEverywhere();
    } else if (this.#stage === "searched" && !this.#askAnyone()) {
      this.#end(this.#tooFew());
    }
  }

  /** Asks any candidate left of every slot that isn't being asked for. False when there is none. */
  #askAnyone(): boolean {
    let any = false;
    for (const search of this.#allSlots()) {
      const link = search.state === "idle" ? search.takeAny() : undefined;
      if (link === undefined) continue;
      this.#ask(search, link, lastTimeoutMs(link));
      any = true;
    }
    return any;
  }

  async #searchEverywhere(): Promise<void> {
    const missing = this.#allSlots()
      .filter(({ state }) => state === "idle")
      .map(({ slot }) => slot);
    const found = await searchShards(this.#context, this.#places, missing);
    if (this.#isOver) return;
    for (const { slot, link } of found) {
      if (!this.#slot(slot).found(link)) continue;
      this.#context.whereabouts.strayed(this.#places.ref, slot, link.node.id);
    }
    this.#stage = "searched";
    this.#advance();
  }

  #ask(search: SlotSearch, link: NodeLink, timeoutMs: number): void {
    search.state = "asking";
    const place = this.#placeOf(search.slot);
    const id = this.#places.shardId(search.slot);
    const call = link.start(timeoutMs, (service, signal) =>
      service.get(id, this.#run.offsetBytes, place, signal),
    );
    const slowAtMs = call.startedMs + link.latency.slowAfterMs;
    const attempt = { search, link, call, slowAtMs };
    this.#attempts.add(attempt);
    if (this.#cancelTimer === undefined) this.#wakeAt(slowAtMs);
    this.#settling.push(this.#await(attempt));
  }

  /** Wanted shards go straight to their place; spares to scratch that is reused. */
  #placeOf(slot: number): Uint8Array {
    const wanted = this.#wanted.find((shard) => shard.slot === slot);
    if (wanted !== undefined) return wanted.place;
    const buffer = this.#context.scratch.take(this.#run.lengthBytes);
    this.#scratch.push(buffer);
    return buffer;
  }

  async #await(attempt: Attempt): Promise<void> {
    const { search, link, call } = attempt;
    const { clock } = this.#context;
    try {
      const slab = await call.done;
      link.latency.record(clock.monotonicMs() - call.startedMs);
      if (!search.isSlow) link.reads.clear();
      if (!this.#isOver) this.#accept(search, link, slab);
    } catch (error) {
      if (search.isSlow) {
        link.latency.record(clock.monotonicMs() - call.startedMs);
        link.reads.strike();
      }
      if (!this.#isOver) this.#reject(search, link, error);
    }
    this.#attempts.delete(attempt);
    this.#advance();
  }

  #accept(search: SlotSearch, link: NodeLink, slab: ShardSlab): void {
    const { lengthBytes } = this.#run;
    const { lengthBytes: blockBytes } = this.#places.ref;
    const isWhole =
      slab.sizeBytes === shardSizeBytes(blockBytes, this.#places.pool.k) &&
      slab.bytes.length === lengthBytes &&
      slab.cellCrcs.length === cellCount(lengthBytes);
    const id = this.#places.shardId(search.slot);
    const firstCell = this.#run.offsetBytes / CELL_BYTES;
    const { bytes, cellCrcs } = slab;
    const { seal } = this.#context;
    if (isWhole && seal.corruptCells(id, bytes, cellCrcs, firstCell).length === 0) {
      search.state = "have";
      search.bytes = bytes;
      return;
    }
    this.#foundCorrupt(search, link, "checksum or size is wrong");
  }

  #reject(search: SlotSearch, link: NodeLink, error: unknown): void {
    if (isFsError(error, "EBADMSG")) {
      this.#foundCorrupt(search, link, error.message);
      return;
    }
    const isMissing = isFsError(error, "ENOENT");
    search.failed(link, isFsError(error, "ECONNREFUSED", "EIO", "EPROTO"));
    this.#note(search, link, error instanceof Error ? error.message : String(error));
    if (!isMissing) return;
    this.#context.whereabouts.notAstray(this.#places.ref, search.slot, link.node.id);
    if (link.node.id === this.#places.homes[search.slot]?.id) {
      this.#findings.push({ kind: "missing", slot: search.slot, node: link.node.id });
    }
    // A shard that isn't at home has likely been left where an older map had it.
    if (search.hasReadable) this.#askReadable(search);
  }

  #foundCorrupt(search: SlotSearch, link: NodeLink, why: string): void {
    search.failed(link, false);
    this.#note(search, link, why);
    this.#findings.push({ kind: "corrupt", slot: search.slot, node: link.node.id });
  }

  #note(search: SlotSearch, link: NodeLink, why: string): void {
    this.#failures.push(
      `shard ${search.slot} on node ${link.node.id} (${link.node.state}): ${why}`,
    );
  }

  #wakeAt(dueMs: number): void {
    const { clock } = this.#context;
    this.#cancelTimer = clock.after(Math.max(1, dueMs - clock.monotonicMs()), () => {
      this.#cancelTimer = undefined;
      const nowMs = clock.monotonicMs();
      // A late timer means that this process was held up: first let it take in what has arrived.
      if (nowMs - dueMs > HEDGE_LATE_MS) this.#wakeAt(nowMs);
      else this.#hedge(nowMs);
    });
  }

  /** Requests that have become slow get spares beside them. */
  #hedge(nowMs: number): void {
    let nextMs = Infinity;
    for (const { search, link, call, slowAtMs } of this.#attempts) {
      if (search.isSlow) continue;
      if (slowAtMs > nowMs) {
        nextMs = Math.min(nextMs, slowAtMs);
      } else {
        search.isSlow = true;
        link.wasSlow(call.startedMs);
      }
    }
    this.#advance();
    if (nextMs < Infinity && !this.#isOver && this.#cancelTimer === undefined) {
      this.#wakeAt(nextMs);
    }
  }

  /** Rebuilds what is wanted and not there. */
  async #decode(): Promise<void> {
    const missing = this.#wanted.filter(({ slot }) => !this.#has(slot));
    if (missing.length === 0) return;
    const targets: Uint8Array[] = [];
    for (const { slot, place } of missing) targets[slot] = place;
    const sources = this.#allSlots().map(({ bytes }) => bytes);
    await this.#context.coding.reconstruct(this.#places.pool, sources, targets);
  }

  #end(failure?: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = failure;
    this.#cancelTimer?.();
    if (this.#attempts.size > 0) {
      const reason = new FsError("EINTR", "no longer needed");
      for (const { call } of this.#attempts) call.cancel(reason);
    }
    this.#finish();
  }

  /** A shard missing at home is no damage when it was found where an older map has it. */
  #report(): void {
    for (const { kind, slot, node } of this.#findings) {
      if (kind === "missing" && this.#has(slot)) continue;
      this.#context.damage.report(kind, this.#places.shardId(slot), node);
    }
  }

  #tooFew(): FsError {
    const { ref, pool } = this.#places;
    const had = this.#slots.filter((search) => search?.state === "have").length;
    return new FsError(
      "EIO",
      `block ${ref.slice}/${ref.index} needs ${pool.k} shards and only ${had} can be had: ` +
        this.#failures.join("; "),
    );
  }
}

/** Nodes believed dead get a moment only, slow ones what others get. */
function lastTimeoutMs(link: NodeLink): number {
  return link.isReachable ? SHARD_REQUEST_TIMEOUT_MS : LAST_RESORT_TIMEOUT_MS;
}

/** It is there, or on its way at a fair pace. */
function isComing({ state, isSlow }: SlotSearch): boolean {
  return state === "have" || (state === "asking" && !isSlow);
}
