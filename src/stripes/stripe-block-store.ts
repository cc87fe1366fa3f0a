// The block store of a client: whole blocks in, any byte range out, over the nodes of the cluster
// map. Here the parts are put together and bounded; each way through has a file of its own.
import { CellSeal } from "../codec/cell-seal.ts";
import type { Coding } from "../codec/policy-codecs.ts";
import type { MapHistory, MapNode } from "../domain/cluster-map.ts";
import { invariant } from "../domain/invariant.ts";
import type { Epoch, NodeId } from "../domain/ids.ts";
import type { BlockRef } from "../domain/layout.ts";
import type { Log } from "../observability/log.ts";
import type { Clock } from "../platform/clock.ts";
import type { DamageReport } from "../protocol/meta/meta-service.ts";
import type { ShardService } from "../protocol/shard/shard-service.ts";
import { StripeReader } from "./stripe-reader.ts";
import type { BlockStore } from "./block-store.ts";
import { DamageQueue } from "./damage-queue.ts";
import { GroupPlaces } from "./group-places.ts";
import { NodeLinks } from "./nodes/node-links.ts";
import type { Standing } from "./shard-whereabouts.ts";
import { StoreContext } from "./store-context.ts";
import { StripeSync } from "./stripe-sync.ts";
import { StripeWrite } from "./stripe-write.ts";
import { PutLimit } from "./put-limit.ts";

export interface BlockStoreOptions {
  /** The current maps; a new object when they change. */
  maps: () => MapHistory;
  /** Makes the client of a node; the store closes it when the node leaves or moves. */
  connect: (node: MapNode) => ShardService & { close(): Promise<void> };
  /** Takes findings for repair, in batches, each once a while; must not throw. */
  reportDamage: (reports: readonly DamageReport[]) => void;
  coding: Coding;
  /** Id of the cluster whose shards these are. */
  cluster: string;
  clock: Clock;
  log: Log;
}

export class StripeBlockStore implements BlockStore {
  readonly #context: StoreContext;
  readonly #reader: StripeReader;
  readonly #sync: StripeSync;
  readonly #writes = new PutLimit();

  constructor(options: BlockStoreOptions) {
    const { maps, connect, coding, cluster, clock, log } = options;
    this.#context = new StoreContext({
      links: new NodeLinks({ maps, connect, clock, log }),
      damage: new DamageQueue(clock, options.reportDamage),
      coding,
      seal: new CellSeal(cluster),
      clock,
      log,
    });
    this.#reader = new StripeReader(this.#context);
    this.#sync = new StripeSync(this.#context, (ref, standing, excluded, signal) =>
      this.#heal(ref, standing, excluded, signal),
    );
  }

  async putBlock(ref: BlockRef, data: Uint8Array, signal?: AbortSignal): Promise<Epoch> {
    const givenBytes = data.length;
    invariant(givenBytes === ref.lengthBytes, "a block isn't its bytes", { ...ref, givenBytes });
    const { epoch } = this.#context.links.follow().current;
    const standing = await this.#writes.run(ref, signal, () =>
      this.#write(ref, data, [], [], signal),
    );
    this.#context.whereabouts.written(ref, standing);
    return epoch;
  }

  readBlock(
    ref: BlockRef,
    offsetBytes: number,
    target: Uint8Array,
    signal?: AbortSignal,
  ): Promise<void> {
    return this.#reader.read(ref, offsetBytes, target, signal);
  }

  async syncBlocks(refs: readonly BlockRef[], signal?: AbortSignal): Promise<void> {
    if (refs.length > 0) await this.#sync.sync(refs, signal);
  }

  /** Delivers what damage is still to be reported and closes the nodes' clients. */
  async close(): Promise<void> {
    this.#context.damage.flush();
    await this.#context.links.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #write(
    ref: BlockRef,
    data: Uint8Array,
    standing: Standing,
    excluded: Iterable<NodeId>,
    signal: AbortSignal | undefined,
  ): Promise<Standing> {
    const places = new GroupPlaces(this.#context.links.follow(), ref);
    const stripe = await this.#context.coding.encode(places.pool, data);
    try {
      return await new StripeWrite(this.#context, places, stripe, standing, excluded).run(signal);
    } finally {
      stripe.release();
    }
  }

  /** Puts the shards of a block anew that don't stand where `standing` says. */
  #heal(
    ref: BlockRef,
    standing: Standing,
    excluded: ReadonlySet<NodeId>,
    signal: AbortSignal | undefined,
  ): Promise<Standing> {
    return this.#writes.run(ref, signal, async () => {
      const block = this.#context.scratch.take(ref.lengthBytes);
      try {
        await this.#reader.read(ref, 0, block, signal);
        return await this.#write(ref, block, standing, excluded, signal);
      } finally {
        this.#context.scratch.give(block);
      }
    });
  }
}
