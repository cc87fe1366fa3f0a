// Makes written blocks durable: one request a node for all its shards of the blocks, the same rule
// of what is enough as for writing, and shards put anew where too few nodes could make theirs
// durable.
import { FsError } from "../domain/errno.ts";
import type { NodeId } from "../domain/ids.ts";
import type { BlockRef } from "../domain/layout.ts";
import { MAX_SECURE_SHARDS } from "../protocol/shard/limits.ts";
import { MAX_HEALS_IN_FLIGHT, SHARD_SYNC_TIMEOUT_MS, SYNC_PATIENCE_MS } from "./limits.ts";
import { GroupPlaces } from "./group-places.ts";
import type { NodeLink } from "./nodes/node-link.ts";
import { searchShards } from "./shard-search.ts";
import type { Standing } from "./shard-whereabouts.ts";
import type { StoreContext } from "./store-context.ts";
import { WorkLimit } from "../platform/flow/work-limit.ts";
import { standsWellEnough } from "./write-rule.ts";

/**
 * Puts the shards anew that aren't in `standing`, not to `excluded`; resolves to where all stand.
 */
export type HealBlock = (
  ref: BlockRef,
  standing: Standing,
  excluded: ReadonlySet<NodeId>,
  signal: AbortSignal | undefined,
) => Promise<Standing>;

interface UnsyncedBlock {
  readonly places: GroupPlaces;
  /** By slot, the node that has the shard on disk. */
  readonly durable: (NodeId | undefined)[];
  /** Nodes that failed to make theirs durable. */
  readonly failed: Set<NodeId>;
}

interface UnsyncedShard {
  readonly block: UnsyncedBlock;
  readonly slot: number;
}

export class StripeSync {
  readonly #context: StoreContext;
  readonly #heal: HealBlock;
  readonly #healing = new WorkLimit(MAX_HEALS_IN_FLIGHT);

  constructor(context: StoreContext, heal: HealBlock) {
    this.#context = context;
    this.#heal = heal;
  }

  /** @throws FsError EIO when a block can't be made durable on enough nodes; the signal's reason */
  async sync(refs: readonly BlockRef[], signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const maps = this.#context.links.follow();
    const blocks = refs.map((ref): UnsyncedBlock => {
      return { places: new GroupPlaces(maps, ref), durable: [], failed: new Set() };
    });
    await this.#syncStanding(blocks, undefined, signal);
    const short = blocks.filter((block) => !this.#isDurable(block));
    const healing = short.map((block) =>
      this.#healing.run(1, signal, () => this.#syncHarder(block, signal)),
    );
    await Promise.allSettled(healing);
    await Promise.all(healing);
    for (const block of blocks) this.#context.whereabouts.synced(block.places.ref);
  }

  /** Where the shards were put; where they belong if that was forgotten. */
  #knownStanding({ places }: UnsyncedBlock): Standing {
    const known = this.#context.whereabouts.unsyncedAt(places.ref);
    return known ?? places.homes.map((node) => node?.id);
  }

  /**
   * Syncs the shards in `standing`, or where they are known to stand. Resolves when all answered,
   * or enough did and the others had their grace.
   */
  async #syncStanding(
    blocks: readonly UnsyncedBlock[],
    standing: Standing | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const perNode = new Map<NodeId, UnsyncedShard[]>();
    for (const block of blocks) {
      (standing ?? this.#knownStanding(block)).forEach((node, slot) => {
        if (node === undefined || block.durable[slot] !== undefined) return;
        const shards = perNode.get(node);
        if (shards === undefined) perNode.set(node, [{ block, slot }]);
        else shards.push({ block, slot });
      });
    }
    let cancelGrace: (() => void) | undefined;
    let onAbort = (): void => undefined;
    await new Promise<void>((resolve, reject) => {
      onAbort = () => reject(signal?.reason as Error);
      signal?.addEventListener("abort", onAbort, { once: true });
      let left = perNode.size;
      if (left === 0) resolve();
      for (const [node, shards] of perNode) {
        void this.#syncNode(node, shards).then(() => {
          left--;
          if (left === 0) resolve();
          else if (cancelGrace === undefined && blocks.every((block) => this.#isDurable(block))) {
            cancelGrace = this.#context.clock.after(SYNC_PATIENCE_MS, resolve);
          }
        });
      }
    }).finally(() => {
      cancelGrace?.();
      signal?.removeEventListener("abort", onAbort);
    });
  }

  /** Never rejects: what it couldn't make durable is reported and not marked. */
  async #syncNode(node: NodeId, shards: readonly UnsyncedShard[]): Promise<void> {
    const link = this.#context.links.find(node);
    for (let at = 0; at < shards.length; at += MAX_SECURE_SHARDS) {
      const batch = shards.slice(at, at + MAX_SECURE_SHARDS);
      try {
        if (link?.isReachable !== true) throw new FsError("ECONNREFUSED", `node ${node} is down`);
        await this.#syncBatch(link, batch);
      } catch (error) {
        this.#context.log.warn({ err: error, node }, "node could not make its shards durable");
        for (const { block, slot } of batch) {
          block.failed.add(node);
          this.#reportMissing(block, slot, node);
        }
      }
    }
  }

  async #syncBatch(link: NodeLink, batch: readonly UnsyncedShard[]): Promise<void> {
    const ids = batch.map(({ block, slot }) => block.places.shardId(slot));
    const call = link.start(SHARD_SYNC_TIMEOUT_MS, (service, signal) =>
      service.secure(ids, "unseen", signal),
    );
    const verdicts = await call.done;
    batch.forEach(({ block, slot }, at) => {
      if (verdicts[at] === "secure") {
        block.durable[slot] = link.node.id;
        return;
      }
      // What it had of a spoilt shard is set aside, so here, too, the shard is missing now.
      if (verdicts[at] === "spoilt") block.failed.add(link.node.id);
      this.#reportMissing(block, slot, link.node.id);
    });
  }

  /** Looks for shards elsewhere, and puts those anew that are nowhere. */
  async #syncHarder(block: UnsyncedBlock, signal: AbortSignal | undefined): Promise<void> {
    const { places } = block;
    if (this.#context.whereabouts.unsyncedAt(places.ref) === undefined) {
      await this.#syncStanding([block], await this.#search(block), signal);
      if (this.#isDurable(block)) return;
    }
    const healed = await this.#heal(places.ref, block.durable, block.failed, signal);
    await this.#syncStanding([block], healed, signal);
    if (this.#isDurable(block)) return;
    throw new FsError(
      "EIO",
      `block ${places.ref.slice}/${places.ref.index} is on disk on too few nodes: ` +
        block.durable.filter((node) => node !== undefined).join(", "),
    );
  }

  async #search({ places, durable }: UnsyncedBlock): Promise<Standing> {
    const slots = [...Array(places.slotCount).keys()].filter((slot) => durable[slot] === undefined);
    const standing: (NodeId | undefined)[] = [];
    for (const { slot, link } of await searchShards(this.#context, places, slots)) {
      standing[slot] = link.node.id;
    }
    return standing;
  }

  #isDurable({ places, durable }: UnsyncedBlock): boolean {
    return standsWellEnough(durable, this.#context.circumstances(places.pool));
  }

  #reportMissing({ places }: UnsyncedBlock, slot: number, node: NodeId): void {
    this.#context.damage.report("missing", places.shardId(slot), node);
  }
}
