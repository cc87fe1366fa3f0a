// Places the shards of one stripe: all at once, each on its node or, when that fails, on the next
// best, until every shard stands or time is up and enough do (write-rule.ts says what is enough).
import { corruptCells, type Stripe } from "../codec/stripe-codec.ts";
import type { MapNode } from "../domain/cluster-map.ts";
import { invariant } from "../domain/invariant.ts";
import { FsError, isFsError } from "../domain/errno.ts";
import { formatShardId, type NodeId } from "../domain/ids.ts";
import { NODE_WATCH_INTERVAL_MS } from "./nodes/limits.ts";
import {
  STRAGGLER_PATIENCE_MS,
  SHARD_REQUEST_TIMEOUT_MS,
  STRIPE_PATIENCE_AFTER_FAILURE_MS,
  STRIPE_PATIENCE_MS,
} from "./limits.ts";
import { replacementNode } from "../placement/placement.ts";
import type { GroupPlaces } from "./group-places.ts";
import type { NodeCall, NodeLink } from "./nodes/node-link.ts";
import type { Standing } from "./shard-whereabouts.ts";
import type { StoreContext } from "./store-context.ts";
import { canStandWellEnough, standsWellEnough, type WriteCircumstances } from "./write-rule.ts";

/** A put is slow when it takes half as long again as the k fastest of its stripe took. */
const STRAGGLER_FACTOR = 1.5;
/** Tries on one node: a lost connection or a garbled body deserves a second one. */
const TRIES_PER_NODE = 2;

export class StripeWrite {
  readonly #context: StoreContext;
  readonly #places: GroupPlaces;
  readonly #stripe: Stripe;
  readonly #standing: (NodeId | undefined)[];
  /** By slot, the node that has or is being sent the shard. */
  readonly #chosen: (NodeId | undefined)[];
  readonly #calls: (NodeCall<void> | undefined)[] = [];
  readonly #excluded = new Set<NodeId>();
  /** Left out unasked because they are known not to take writes. */
  #passedOver: NodeLink[] = [];
  readonly #failures: { node: MapNode; error: unknown }[] = [];
  readonly #startedMs: number;
  #firstFailureMs: number | undefined;
  /** How long it took until k shards stood. */
  #kStoodAfterMs: number | undefined;
  #fatal: FsError | undefined;
  #isOver = false;
  #cancelTick: (() => void) | undefined;

  /** @param standing by slot, nodes where the shard stands already; empty for a new stripe */
  constructor(
    context: StoreContext,
    places: GroupPlaces,
    stripe: Stripe,
    standing: Standing = [],
    excluded: Iterable<NodeId> = [],
  ) {
    this.#context = context;
    this.#places = places;
    this.#stripe = stripe;
    this.#standing = Array.from({ length: places.slotCount }, (_, slot) => standing[slot]);
    this.#chosen = [...this.#standing];
    for (const node of excluded) this.#excluded.add(node);
    this.#startedMs = context.clock.monotonicMs();
  }

  /**
   * Resolves, when the stripe may be acknowledged, to where its shards stand. No buffer of the
   * stripe is in use afterwards, whatever the outcome.
   * @throws FsError ENOSPC (nodes full), EIO (too few nodes take their shards); the signal's reason
   */
  async run(signal?: AbortSignal): Promise<Standing> {
    signal?.throwIfAborted();
    const onAbort = (): void => this.#end(new FsError("EINTR", "write was cancelled"));
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#tickLater();
    this.#passOverUnwritable();
    this.#reserveTargets();
    const slots = [...this.#standing.keys()].filter((slot) => this.#standing[slot] === undefined);
    await Promise.all(slots.map((slot) => this.#placeShard(slot)));
    this.#cancelTick?.();
    signal?.removeEventListener("abort", onAbort);
    signal?.throwIfAborted();
    if (this.#fatal !== undefined) throw this.#fatal;
    if (!this.#standsWellEnough()) throw this.#failure();
    this.#reportDeviations();
    return this.#standing;
  }

  async #placeShard(slot: number): Promise<void> {
    let node = this.#firstNode(slot);
    while (node !== undefined && !this.#isOver) {
      this.#chosen[slot] = node.id;
      const error = await this.#tryNode(slot, node);
      if (error === undefined) {
        this.#standing[slot] = node.id;
        this.#review();
        return;
      }
      this.#chosen[slot] = undefined;
      this.#noteFailure(node, error);
      node = this.#nextNode(slot);
    }
  }

  /** Slots whose own node is usable have it before others look for a place. */
  #reserveTargets(): void {
    this.#places.targets.forEach((target, slot) => {
      if (target !== undefined && !this.#excluded.has(target.id)) this.#chosen[slot] ??= target.id;
    });
  }

  #firstNode(slot: number): MapNode | undefined {
    const target = this.#places.targets[slot];
    return target?.id === this.#chosen[slot] ? target : this.#nextNode(slot);
  }

  /** Nodes that were passed over are taken back before any node gets more than it may lose. */
  #nextNode(slot: number): MapNode | undefined {
    const { maps, pool, pg } = this.#places;
    const taken = new Map<NodeId, number>();
    for (const id of this.#chosen) if (id !== undefined) taken.set(id, (taken.get(id) ?? 0) + 1);
    for (;;) {
      const node = replacementNode(maps.current, pool, pg, slot, this.#excluded, taken);
      if (node !== undefined && (taken.get(node.id) ?? 0) < pool.m) return node;
      if (!this.#takeBackPassedOver()) return node;
    }
  }

  /** Those first that answer but serve badly, then those that don't. False when there are none. */
  #takeBackPassedOver(): boolean {
    const answering = this.#passedOver.filter((link) => link.isReachable);
    const back = answering.length > 0 ? answering : this.#passedOver;
    this.#passedOver = this.#passedOver.filter((link) => !back.includes(link));
    for (const link of back) this.#excluded.delete(link.node.id);
    return back.length > 0;
  }

  /** Undefined when the node took the shard, else why it didn't. */
  async #tryNode(slot: number, node: MapNode): Promise<unknown> {
    const link = this.#context.links.find(node.id);
    if (link === undefined) return new FsError("ECONNREFUSED", `node ${node.id} has left`);
    let failure: unknown;
    for (let tries = 0; tries < TRIES_PER_NODE; tries++) {
      try {
        await this.#put(slot, link);
        return undefined;
      } catch (error) {
        failure = error;
      }
      if (this.#isOver || !(await this.#deservesRetry(slot, link, failure))) break;
    }
    return failure;
  }

  async #put(slot: number, link: NodeLink): Promise<void> {
    const [bytes, plain] = [this.#stripe.shards[slot], this.#stripe.cellCrcs[slot]];
    invariant(bytes !== undefined && plain !== undefined, "a stripe has no such slot", { slot });
    const id = this.#places.shardId(slot);
    const cellCrcs = this.#context.seal.mask(id, plain);
    const call = link.start(SHARD_REQUEST_TIMEOUT_MS, (service, signal) =>
      service.put(id, { bytes, cellCrcs }, signal),
    );
    this.#calls[slot] = call;
    try {
      await call.done;
      link.writes.clear();
    } finally {
      this.#calls[slot] = undefined;
    }
  }

  async #deservesRetry(slot: number, link: NodeLink, error: unknown): Promise<boolean> {
    const id = formatShardId(this.#places.shardId(slot));
    if (isFsError(error, "EEXIST")) {
      this.#context.log.error(
        { err: error, shard: id },
        "other bytes stand under a new shard's id",
      );
      this.#end(new FsError("EIO", `other bytes stand under shard ${id}`, { cause: error }));
      return false;
    }
    if (isFsError(error, "EBADMSG")) {
      const [bytes, crcs] = [this.#stripe.shards[slot], this.#stripe.cellCrcs[slot]];
      if (bytes !== undefined && crcs !== undefined && corruptCells(bytes, crcs).length === 0) {
        return true;
      }
      this.#end(new FsError("EIO", `shard ${id} changed while it was written`, { cause: error }));
      return false;
    }
    if (!isFsError(error, "ECONNREFUSED")) return false;
    // A lost connection is no lost node: one that answers the probe gets another try.
    await link.breaker.probeNow();
    return link.breaker.state === "closed" && !this.#isOver;
  }

  #noteFailure(node: MapNode, error: unknown): void {
    this.#excluded.add(node.id);
    this.#failures.push({ node, error });
    this.#firstFailureMs ??= this.#elapsedMs();
  }

  /** Nodes known not to take writes are passed over, unless the rest couldn't hold a stripe. */
  #passOverUnwritable(): void {
    if (!canStandWellEnough(this.#circumstances())) return;
    this.#passedOver = this.#context.links
      .all()
      .filter((link) => !link.isWritable && !this.#excluded.has(link.node.id));
    for (const link of this.#passedOver) this.#excluded.add(link.node.id);
  }

  #standsWellEnough(): boolean {
    return standsWellEnough(this.#standing, this.#circumstances());
  }

  #circumstances(): WriteCircumstances {
    return this.#context.circumstances(this.#places.pool, this.#excluded);
  }

  #elapsedMs(): number {
    return this.#context.clock.monotonicMs() - this.#startedMs;
  }

  #tickLater(): void {
    this.#cancelTick = this.#context.clock.after(NODE_WATCH_INTERVAL_MS, () => {
      this.#tickLater();
      this.#review();
    });
  }

  /** Ends the stripe when time is up and enough stands; ends slow puts when the rest is done. */
  #review(): void {
    const elapsedMs = this.#elapsedMs();
    const standing = this.#standing.filter((node) => node !== undefined).length;
    if (standing >= this.#places.pool.k) this.#kStoodAfterMs ??= elapsedMs;
    if (this.#kStoodAfterMs === undefined || this.#isOver) return;
    // When even the fastest took long it is the whole cluster that is slow, and patience grows.
    const patienceMs = Math.max(STRAGGLER_PATIENCE_MS, STRAGGLER_FACTOR * this.#kStoodAfterMs);
    const settleMs = Math.min(
      (this.#firstFailureMs ?? Infinity) + STRIPE_PATIENCE_AFTER_FAILURE_MS,
      STRIPE_PATIENCE_MS,
    );
    if (elapsedMs >= Math.max(settleMs, STRAGGLER_FACTOR * this.#kStoodAfterMs)) {
      if (this.#standsWellEnough()) this.#end();
    }
    this.#endStragglers(patienceMs);
  }

  #endStragglers(patienceMs: number): void {
    const nowMs = this.#context.clock.monotonicMs();
    this.#calls.forEach((call, slot) => {
      if (call === undefined || nowMs - call.startedMs < patienceMs) return;
      const node = this.#chosen[slot];
      if (node !== undefined) this.#context.links.find(node)?.writes.strike();
      call.cancel(new FsError("ETIMEDOUT", `node took over ${patienceMs} ms for a shard`));
    });
  }

  #end(fatal?: FsError): void {
    this.#isOver = true;
    this.#fatal ??= fatal;
    this.#cancelTick?.();
    const reason = fatal ?? new FsError("ETIMEDOUT", "stripe stands without this shard");
    for (const call of this.#calls) call?.cancel(reason);
  }

  #reportDeviations(): void {
    const { ref, homes } = this.#places;
    const { damage, whereabouts } = this.#context;
    this.#standing.forEach((node, slot) => {
      const home = homes[slot]?.id;
      if (node === home) return;
      if (node !== undefined) {
        damage.report("misplaced", this.#places.shardId(slot), node);
        whereabouts.strayed(ref, slot, node);
      } else if (home !== undefined) {
        damage.report("missing", this.#places.shardId(slot), home);
      }
    });
  }

  #failure(): FsError {
    const full = this.#failures.filter(({ error }) => isFsError(error, "ENOSPC"));
    const standing = this.#standing.filter((node) => node !== undefined).length;
    const why = this.#failures
      .map(({ node, error }) => `${node.id} at ${node.url}: ${messageOf(error)}`)
      .join("; ");
    const code = full.length * 2 > this.#failures.length ? "ENOSPC" : "EIO";
    return new FsError(
      code,
      `only ${standing} of ${this.#places.slotCount} shards of block ` +
        `${this.#places.ref.slice}/${this.#places.ref.index} could be placed safely (${why})`,
      { cause: this.#failures[0]?.error },
    );
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
