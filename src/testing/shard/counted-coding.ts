// Real coding, counted: how much was encoded and rebuilt, and whether a thread is at it now.
import { PolicyCodecs, type Coding } from "../../codec/policy-codecs.ts";
import type { Slots } from "../../codec/slots.ts";
import type { Stripe } from "../../codec/stripe-codec.ts";
import type { CodingPolicy } from "../../domain/layout.ts";

export class CountedCoding implements Coding {
  /** Blocks encoded so far. */
  encoded = 0;
  /** Calls that rebuilt something; a read that has its data shards needs none. */
  rebuilt = 0;
  /** Calls under way. */
  busy = 0;
  readonly #codecs = new PolicyCodecs();

  encode(policy: CodingPolicy, block: Uint8Array): Promise<Stripe> {
    this.encoded++;
    return this.#watch(this.#codecs.encode(policy, block));
  }

  reconstruct(policy: CodingPolicy, sources: Slots, targets: Slots): Promise<void> {
    this.rebuilt++;
    return this.#watch(this.#codecs.reconstruct(policy, sources, targets));
  }

  async #watch<T>(coding: Promise<T>): Promise<T> {
    this.busy++;
    try {
      return await coding;
    } finally {
      this.busy--;
    }
  }
}
