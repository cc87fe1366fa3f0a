// Coding as those see it who meet blocks of several policies: a codec for each policy, made when
// the first block of it comes.
import type { CodingPolicy } from "../domain/layout.ts";
import type { Slots } from "./slots.ts";
import { StripeCodec, type Stripe } from "./stripe-codec.ts";

/** What stripes ask of a codec; the work is done in other threads. */
export interface Coding {
  /** As StripeCodec.encode. */
  encode(policy: CodingPolicy, block: Uint8Array): Promise<Stripe>;
  /** As StripeCodec.reconstruct. */
  reconstruct(policy: CodingPolicy, sources: Slots, targets: Slots): Promise<void>;
}

export class PolicyCodecs implements Coding {
  /** As many as there are policies within the stored format's limits. */
  readonly #codecs = new Map<string, StripeCodec>();

  encode(policy: CodingPolicy, block: Uint8Array): Promise<Stripe> {
    return this.#codecOf(policy).encode(block);
  }

  reconstruct(policy: CodingPolicy, sources: Slots, targets: Slots): Promise<void> {
    return this.#codecOf(policy).reconstruct(sources, targets);
  }

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
