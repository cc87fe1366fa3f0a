// Block ⇄ stripe: cuts a block into k data shards, adds m parity shards and checksums, and rebuilds
// any of them from k others. FORMAT.md beside this file describes what is stored.
import { crc32 } from "node:zlib";
import { cellCount, shardSizeBytes } from "../domain/layout.ts";
import { invariant } from "../domain/invariant.ts";
import type { CodingPolicy } from "../domain/layout.ts";
import { BLOCK_BYTES, CELL_BYTES } from "../domain/format.ts";
import { MAX_CODEC_POOL_BYTES, MAX_CODING_ROWS_IN_FLIGHT } from "./limits.ts";
import { ScratchPool } from "./scratch-pool.ts";
import { RowCoder } from "./reed-solomon.ts";
import { RowPool } from "./row-pool.ts";
import type { ScratchRow } from "./row-pool.ts";
import { presentSlots, requireRunBytes, slotFlags } from "./slots.ts";
import type { Slots } from "./slots.ts";

export { cellCrcs, corruptCells } from "./cells.ts";

export interface Stripe {
  /**
   * By slot, k + m of them, all of one size; data shards view the block where nothing is padded.
   */
  readonly shards: readonly Uint8Array[];
  /** By slot, the CRC-32 of each cell. */
  readonly cellCrcs: readonly Uint32Array[];
  /** Gives the pooled buffers back: afterwards the shards' bytes are somebody else's. */
  release(): void;
}

const ZERO_CELL_CRC = crc32(new Uint8Array(CELL_BYTES));

/** A stripe being made. */
interface Draft {
  readonly shards: readonly Uint8Array[];
  readonly cellCrcs: readonly Uint32Array[];
  /** The parity shards end to end. */
  readonly parity: Uint8Array;
  /** The data shards end to end, when the block has no padding and is that already. */
  readonly data: Uint8Array | undefined;
}

/** Codes blocks of one policy in the thread pool; calls may overlap. */
export class StripeCodec {
  readonly policy: CodingPolicy;
  readonly #coder: RowCoder;
  readonly #rows: RowPool;
  readonly #buffers = new ScratchPool(MAX_CODEC_POOL_BYTES);

  /** @throws FsError EINVAL when the policy is outside the limits (m = 0 is) */
  constructor(policy: CodingPolicy) {
    this.policy = { k: policy.k, m: policy.m };
    this.#coder = new RowCoder(this.policy);
    this.#rows = new RowPool(this.policy, MAX_CODING_ROWS_IN_FLIGHT);
  }

  /**
   * The stripe of a block of 0 to BLOCK_BYTES bytes, which must not change before `release` (its
   * data shards are views of it). An empty block has empty shards without cells.
   */
  async encode(block: Uint8Array): Promise<Stripe> {
    invariant(block.length <= BLOCK_BYTES, "a block is too long", { lengthBytes: block.length });
    const { k, m } = this.policy;
    const shardBytes = shardSizeBytes(block.length, k);
    const unpadded = shardBytes === 0 ? k : Math.floor(block.length / shardBytes);
    const paddedBytes = (k - unpadded) * shardBytes;
    const extra = this.#buffers.take(paddedBytes + m * shardBytes);
    // Copy 1, of the padded shards only.
    const tail = block.subarray(unpadded * shardBytes);
    extra.set(tail);
    extra.fill(0, tail.length, paddedBytes);
    const shards = Array.from({ length: k + m }, (_, slot) =>
      slot < unpadded ? piece(block, slot, shardBytes) : piece(extra, slot - unpadded, shardBytes),
    );
    const crcs = shards.map(() => new Uint32Array(cellCount(shardBytes)));
    const parity = extra.subarray(paddedBytes);
    const draft = { shards, cellCrcs: crcs, parity, data: unpadded === k ? block : undefined };
    let isReleased = false;
    const release = (): void => {
      if (!isReleased) this.#buffers.give(extra);
      isReleased = true;
    };
    try {
      await this.#eachRow(shardBytes, (row, begin, end) => this.#encodeRow(draft, row, begin, end));
    } catch (error) {
      release();
      throw error;
    }
    return { shards, cellCrcs: crcs, release };
  }

  /**
   * Rebuilds `targets` (data and parity slots alike) from `sources`, at least k of them. All cover
   * the same run of their shards, from a cell's begin to a cell's end or the shard's. No source is
   * changed; none may change, nor a target be used, before the promise settles.
   * @throws FsError EIO when there are fewer than k sources
   */
  async reconstruct(sources: Slots, targets: Slots): Promise<void> {
    const runBytes = requireRunBytes(sources, targets, this.policy);
    const wanted = presentSlots(targets);
    if (wanted.length === 0) return;
    const { k, m } = this.policy;
    // The lowest slots: data needs no arithmetic and the first parity is a plain XOR.
    const used = presentSlots(sources).slice(0, k);
    const claimed = [...used, ...unreadParity(used, targets, this.policy)];
    const [sourceFlags, targetFlags] = [slotFlags(claimed), slotFlags(wanted)];
    await this.#eachRow(runBytes, async (row, begin, end) => {
      const rowBytes = end - begin;
      const data = row.data.subarray(0, k * rowBytes);
      const parity = row.parity.subarray(0, m * rowBytes);
      const pieceOf = (slot: number): Uint8Array =>
        slot < k ? piece(data, slot, rowBytes) : piece(parity, slot - k, rowBytes);
      // Copies: k pieces in, the targets out. The addon rewrites more than its targets, and so
      // works in scratch only.
      for (const slot of used) copyRun(sources[slot], begin, end, pieceOf(slot));
      await this.#coder.code(sourceFlags, targetFlags, data, parity);
      for (const slot of wanted) targets[slot]?.set(pieceOf(slot), begin);
    });
  }

  /** Codes one row of every shard; its data checksums are computed while the pool codes. */
  async #encodeRow(draft: Draft, row: ScratchRow, begin: number, end: number): Promise<void> {
    const { k, m } = this.policy;
    const rowBytes = end - begin;
    const isWhole = rowBytes === draft.shards[0]?.length;
    const data = (isWhole ? draft.data : undefined) ?? row.data.subarray(0, k * rowBytes);
    const parity = isWhole ? draft.parity : row.parity.subarray(0, m * rowBytes);
    for (let slot = 0; slot < k; slot++) {
      // Copy 2, of the data: the addon wants a row's pieces end to end.
      if (data !== draft.data) {
        copyRun(draft.shards[slot], begin, end, piece(data, slot, rowBytes));
      }
      // Now, while the cell is still in the processor's cache.
      putCellCrc(draft, slot, begin, end);
    }
    await this.#coder.code((1 << k) - 1, ((1 << m) - 1) << k, data, parity);
    for (let slot = k; slot < k + m; slot++) {
      // Copy 3, of the parity, from one row's pieces to whole shards.
      if (!isWhole) draft.shards[slot]?.set(piece(parity, slot - k, rowBytes), begin);
      if (slot === k && rowBytes === CELL_BYTES) putXorCrc(draft, k, begin);
      else putCellCrc(draft, slot, begin, end);
    }
  }

  /** Calls `code` for each row of `sizeBytes`, several at once; settles when all of them have. */
  async #eachRow(
    sizeBytes: number,
    code: (row: ScratchRow, begin: number, end: number) => Promise<void>,
  ): Promise<void> {
    const running: Promise<void>[] = [];
    for (let begin = 0; begin < sizeBytes; begin += CELL_BYTES) {
      const row = await this.#rows.take();
      const end = Math.min(begin + CELL_BYTES, sizeBytes);
      const coding = code(row, begin, end).finally(() => this.#rows.give(row));
      // A failure is told below; until then it isn't an unhandled one.
      coding.catch(() => undefined);
      running.push(coding);
    }
    // Nobody may still write to the caller's buffers when a failure is told.
    await Promise.allSettled(running);
    await Promise.all(running);
  }
}

/**
 * Parity slots that needn't be computed though they are neither used nor wanted. The addon would
 * rewrite them unless they are called sources; it reads the k lowest sources only, so that those
 * above the last one used may be claimed with nothing in them.
 */
function unreadParity(used: readonly number[], targets: Slots, policy: CodingPolicy): number[] {
  const unread: number[] = [];
  const lowest = Math.max(policy.k, (used.at(-1) ?? 0) + 1);
  for (let slot = lowest; slot < policy.k + policy.m; slot++) {
    if (targets[slot] === undefined) unread.push(slot);
  }
  return unread;
}

function piece(bytes: Uint8Array, index: number, pieceBytes: number): Uint8Array {
  return bytes.subarray(index * pieceBytes, (index + 1) * pieceBytes);
}

function copyRun(
  source: Uint8Array | undefined,
  begin: number,
  end: number,
  target: Uint8Array,
): void {
  if (source !== undefined) target.set(source.subarray(begin, end));
}

function putCellCrc(draft: Draft, slot: number, begin: number, end: number): void {
  const shard = draft.shards[slot];
  const crcs = draft.cellCrcs[slot];
  if (shard !== undefined && crcs !== undefined) {
    crcs[begin / CELL_BYTES] = crc32(shard.subarray(begin, end));
  }
}

/**
 * The first parity shard is the XOR of the data shards, and CRC-32 is affine: so is its checksum,
 * but for a constant. Saves a pass, and a row that was coded wrongly is refused where it arrives.
 */
function putXorCrc({ cellCrcs: crcs }: Draft, k: number, begin: number): void {
  const cell = begin / CELL_BYTES;
  let crc = k % 2 === 0 ? ZERO_CELL_CRC : 0;
  for (let slot = 0; slot < k; slot++) crc ^= crcs[slot]?.[cell] ?? 0;
  const ofParity = crcs[k];
  if (ofParity !== undefined) ofParity[cell] = crc;
}
