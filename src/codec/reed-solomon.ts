// The addon @ronomon/reed-solomon behind types and checks: it codes one row at a time in libuv's
// thread pool, and some bad arguments would abort the process. How blocks become rows is not here.
import { createRequire } from "node:module";
import { FsError } from "../domain/errno.ts";
import { invariant } from "../domain/invariant.ts";
import type { CodingPolicy } from "../domain/layout.ts";
import { MAX_DATA_SHARDS, MAX_PARITY_SHARDS } from "../domain/format.ts";

interface Addon {
  create(k: number, m: number): Uint8Array;
  encode(
    context: Uint8Array,
    sources: number,
    targets: number,
    buffer: Uint8Array,
    bufferOffset: number,
    bufferSize: number,
    parity: Uint8Array,
    parityOffset: number,
    paritySize: number,
    end: (error?: Error) => void,
  ): void;
}

// The cast states what the addon's README documents; it ships no types.
const addon = createRequire(import.meta.url)("@ronomon/reed-solomon") as Addon;

/**
 * Codes rows of one policy. Slots are bits in `sources` and `targets`, bit 0 the first data shard.
 */
export class RowCoder {
  readonly #policy: CodingPolicy;
  readonly #context: Uint8Array;

  /** @throws FsError EINVAL when the policy is outside the addon's limits */
  constructor(policy: CodingPolicy) {
    requirePolicy(policy);
    this.#policy = policy;
    this.#context = addon.create(policy.k, policy.m);
  }

  /**
   * `data` is k and `parity` m row pieces end to end, all of one length, a multiple of 8. Both must
   * stay as they are until the promise settles. Pieces of slots that are not among the sources may
   * be rewritten even when they are no targets.
   */
  code(sources: number, targets: number, data: Uint8Array, parity: Uint8Array): Promise<void> {
    const { k, m } = this.#policy;
    const pieceBytes = data.length / k;
    // A length of zero (a detached buffer has that too) would abort the process in the addon.
    invariant(
      pieceBytes > 0 && pieceBytes % 8 === 0 && parity.length === pieceBytes * m,
      "a row's lengths don't fit",
      { dataBytes: data.length, parityBytes: parity.length, k, m },
    );
    return new Promise((resolve, reject) => {
      addon.encode(
        this.#context,
        sources,
        targets,
        data,
        0,
        data.length,
        parity,
        0,
        parity.length,
        // Must never throw: that would be an uncaught exception.
        (error) => (error === undefined ? resolve() : reject(error)),
      );
    });
  }
}

function requirePolicy({ k, m }: CodingPolicy): void {
  const inRange = (value: number, max: number): boolean =>
    Number.isInteger(value) && value >= 1 && value <= max;
  if (!inRange(k, MAX_DATA_SHARDS) || !inRange(m, MAX_PARITY_SHARDS)) {
    throw new FsError(
      "EINVAL",
      `coding policy ${k}+${m} isn't possible: ` +
        `1 to ${MAX_DATA_SHARDS} data and 1 to ${MAX_PARITY_SHARDS} parity shards are`,
    );
  }
}
