// What the parts of a block store share: links, memory of places, damage queue, codecs, counters.
import { ScratchPool } from "../codec/scratch-pool.ts";
import type { Slots } from "../codec/slots.ts";
import { StripeCodec, type Stripe } from "../codec/stripe-codec.ts";
import type { NodeId } from "../domain/ids.ts";
import type { CodingPolicy } from "../domain/layout.ts";
import { MAX_BROADCAST_NODES, MAX_SCRATCH_RETAINED_BYTES } from "./limits.ts";
import type { Log } from "../observability/log.ts";
import type { Clock } from "../platform/clock.ts";
import type { DamageQueue } from "./damage-queue.ts";
import type { NodeLinks } from "./nodes/node-links.ts";
import { ShardWhereabouts } from "./shard-whereabouts.ts";
import { WorkLimit } from "./work-limit.ts";
import type { WriteCircumstances } from "./write-rule.ts";

/** Totals since the store was made. */
export interface BlockStoreStats {
  blocksWritten: number;
  bytesWritten: number;
  /** Reads of a block or a part of one. */
  reads: number;
  bytesRead: number;
  /** Reads that had to decode. */
  degradedReads: number;
  /** Shards asked for because another was slow. */
  hedges: number;
  /** Shards put elsewhere than where they belong. */
  replacements: number;
  /** Shards acknowledged stripes went without. */
  shardsLeftOut: number;
  /** Blocks looked for on every node. */
  searches: number;
  corruptShards: number;
  /** Blocks whose missing shards fsync put anew. */
  healedBlocks: number;
  /** Stripes being coded or decoded at this moment. */
  codingNow: number;
}

export interface StoreContextOptions {
  links: NodeLinks;
  damage: DamageQueue;
  clock: Clock;
  log: Log;
  allowMinimumWrites: boolean;
}

export class StoreContext {
  readonly links: NodeLinks;
  readonly damage: DamageQueue;
  readonly clock: Clock;
  readonly log: Log;
  readonly allowMinimumWrites: boolean;
  readonly whereabouts = new ShardWhereabouts();
  readonly scratch = new ScratchPool(MAX_SCRATCH_RETAINED_BYTES);
  /** Nodes asked at once when all are. */
  readonly broadcasts = new WorkLimit(MAX_BROADCAST_NODES);
  readonly stats: BlockStoreStats = {
    blocksWritten: 0,
    bytesWritten: 0,
    reads: 0,
    bytesRead: 0,
    degradedReads: 0,
    hedges: 0,
    replacements: 0,
    shardsLeftOut: 0,
    searches: 0,
    corruptShards: 0,
    healedBlocks: 0,
    codingNow: 0,
  };
  readonly #codecs = new Map<string, StripeCodec>();

  constructor(options: StoreContextOptions) {
    this.links = options.links;
    this.damage = options.damage;
    this.clock = options.clock;
    this.log = options.log;
    this.allowMinimumWrites = options.allowMinimumWrites;
  }

  /** What a writer of `policy` finds: nodes that are up, and those of them it can write to. */
  circumstances(policy: CodingPolicy, excluded?: ReadonlySet<NodeId>): WriteCircumstances {
    const up = this.links.all().filter((link) => link.node.state === "up");
    const usable = up.filter((link) => link.isWritable && excluded?.has(link.node.id) !== true);
    const allowMinimum = this.allowMinimumWrites;
    return { policy, upNodes: up.length, usableNodes: usable.length, allowMinimum };
  }

  /** As StripeCodec.encode. */
  encode(policy: CodingPolicy, block: Uint8Array): Promise<Stripe> {
    return this.#counted(this.#codecOf(policy).encode(block));
  }

  /** As StripeCodec.reconstruct. */
  decode(policy: CodingPolicy, sources: Slots, targets: Slots): Promise<void> {
    return this.#counted(this.#codecOf(policy).reconstruct(sources, targets));
  }

  async #counted<T>(coding: Promise<T>): Promise<T> {
    this.stats.codingNow++;
    try {
      return await coding;
    } finally {
      this.stats.codingNow--;
    }
  }

  /** There are as many codecs as the cluster has policies. */
  #codecOf({ k, m }: CodingPolicy): StripeCodec {
    const key = `${k}+${m}`;
    let codec = this.#codecs.get(key);
    if (codec === undefined) {
      codec = new StripeCodec({ k, m });
      this.#codecs.set(key, codec);
    }
    return codec;
  }
}
