// Sealed checksums of a shard's cells: a cell's CRC-32 masked with the name of its place, so that
// the right bytes of another cell, shard or cluster don't match. FORMAT.md has the arithmetic; what
// is stored follows from it, so not one bit of it may ever change.
import { crc32 } from "node:zlib";
import type { ShardId } from "../domain/ids.ts";
import { corruptCells } from "./cells.ts";

const TWO_TO_32 = 2 ** 32;
/** 2^32 divided by the golden ratio: words of zeroes move the mask, too. */
const STEP = 0x9e3779b9;

/** Seals and verifies the cells of one cluster's shards. */
export class CellSeal {
  readonly #begin: number;

  /** @param cluster the cluster's id */
  constructor(cluster: string) {
    this.#begin = finish(crc32(cluster));
  }

  /**
   * The sealed checksums of cells from `firstCell` on, of their plain ones; and the plain ones of
   * the sealed ones.
   */
  mask(id: ShardId, crcs: Uint32Array, firstCell = 0): Uint32Array {
    const shard = this.#ofShard(id);
    return crcs.map((crc, at) => crc ^ mix(shard, (id.slot << 16) | (firstCell + at)));
  }

  /**
   * Ascending indexes, within `bytes`, of the cells whose sealed checksum isn't the one given. The
   * bytes begin at `firstCell` of the shard.
   */
  corruptCells(id: ShardId, bytes: Uint8Array, sealed: Uint32Array, firstCell = 0): number[] {
    return corruptCells(bytes, this.mask(id, sealed, firstCell));
  }

  #ofShard({ pool, slice, index }: ShardId): number {
    let mask = mix(this.#begin, (pool << 16) | index);
    mask = mix(mask, Math.floor(slice / TWO_TO_32));
    return mix(mask, slice % TWO_TO_32);
  }
}

/** One to one in either argument: places that differ in one word never have the same mask. */
function mix(mask: number, word: number): number {
  return finish((mask ^ word) + STEP);
}

/** The finaliser of MurmurHash3 x86_32 (Austin Appleby, public domain), one to one. */
function finish(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
