// The real codec, whose threads end in any order, with results that come in the order of the
// calls: the same run after run.
import type { Coding, PolicyCodecs } from "../../codec/policy-codecs.ts";
import type { Slots } from "../../codec/slots.ts";
import type { Stripe } from "../../codec/stripe-codec.ts";
import type { CodingPolicy } from "../../domain/layout.ts";
import type { SimProcess } from "./machine.ts";

export class OrderedCoding implements Coding {
  readonly #codecs: PolicyCodecs;
  readonly #process: SimProcess;

  constructor(codecs: PolicyCodecs, process: SimProcess) {
    this.#codecs = codecs;
    this.#process = process;
  }

  encode(policy: CodingPolicy, block: Uint8Array): Promise<Stripe> {
    return this.#inOrder(this.#codecs.encode(policy, block));
  }

  reconstruct(policy: CodingPolicy, sources: Slots, targets: Slots): Promise<void> {
    return this.#inOrder(this.#codecs.reconstruct(policy, sources, targets));
  }

  #inOrder<T>(work: Promise<T>): Promise<T> {
    const { machine } = this.#process;
    return new Promise((resolve, reject) => {
      machine.timeline.outside(work, () => {
        this.#process.run("coded", () => void work.then(resolve, reject));
      });
    });
  }
}
