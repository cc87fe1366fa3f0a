// What the parts of a block store share: links, memory of places, damage queue, coding.
import type { CellSeal } from "../codec/cell-seal.ts";
import { ScratchPool } from "../codec/scratch-pool.ts";
import type { Coding } from "../codec/policy-codecs.ts";
import type { NodeId } from "../domain/ids.ts";
import type { CodingPolicy } from "../domain/layout.ts";
import { MAX_BROADCAST_NODES, MAX_SCRATCH_RETAINED_BYTES } from "./limits.ts";
import type { Log } from "../observability/log.ts";
import type { Clock } from "../platform/clock.ts";
import type { DamageQueue } from "./damage-queue.ts";
import type { NodeLinks } from "./nodes/node-links.ts";
import { ShardWhereabouts } from "./shard-whereabouts.ts";
import { WorkLimit } from "../platform/flow/work-limit.ts";
import type { WriteCircumstances } from "./write-rule.ts";

export interface StoreContextOptions {
  links: NodeLinks;
  damage: DamageQueue;
  coding: Coding;
  seal: CellSeal;
  clock: Clock;
  log: Log;
}

export class StoreContext {
  readonly links: NodeLinks;
  readonly damage: DamageQueue;
  readonly coding: Coding;
  readonly seal: CellSeal;
  readonly clock: Clock;
  readonly log: Log;
  readonly whereabouts = new ShardWhereabouts();
  readonly scratch = new ScratchPool(MAX_SCRATCH_RETAINED_BYTES);
  /** Nodes asked at once when all are. */
  readonly broadcasts = new WorkLimit(MAX_BROADCAST_NODES);

  constructor(options: StoreContextOptions) {
    this.links = options.links;
    this.damage = options.damage;
    this.coding = options.coding;
    this.seal = options.seal;
    this.clock = options.clock;
    this.log = options.log;
  }

  /** What a writer of `policy` finds: nodes that are up, and those of them it can write to. */
  circumstances(policy: CodingPolicy, excluded?: ReadonlySet<NodeId>): WriteCircumstances {
    const up = this.links.all().filter((link) => link.node.state === "up");
    const usable = up.filter((link) => link.isWritable && excluded?.has(link.node.id) !== true);
    return { policy, upNodes: up.length, usableNodes: usable.length };
  }
}
