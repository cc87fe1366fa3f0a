// From extents to bytes: which part of which block an interval shows, added to a read's plan.
import { FsError } from "../../domain/errno.ts";
import type { BlockRef, Extent } from "../../domain/layout.ts";
import type { BlockReader } from "./block-reader.ts";
import { blockAt, type Geometry } from "../geometry.ts";
import type { Interval, IntervalMap } from "../coherence/interval-map.ts";
import type { ReadPlan } from "./read-plan.ts";
import type { SegmentSink } from "../segments.ts";

/** An extent shorter than this share of its block doesn't justify fetching the whole block. */
const WHOLE_BLOCK_SHARE = 1 / 4;

export interface ReadResources {
  readonly geometry: Geometry;
  readonly reader: BlockReader;
}

/** Turns segments into pieces of a plan. */
export class SegmentReader implements SegmentSink {
  readonly #resources: ReadResources;
  readonly #plan: ReadPlan;
  readonly #sequential: boolean;

  constructor(resources: ReadResources, plan: ReadPlan, sequential: boolean) {
    this.#resources = resources;
    this.#plan = plan;
    this.#sequential = sequential;
  }

  hole(lengthBytes: number): void {
    this.#plan.hole(lengthBytes);
  }

  bytes(view: Uint8Array): void {
    this.#plan.bytes(view);
  }

  block(ref: BlockRef, offsetBytes: number, lengthBytes: number, extentBytes: number): void {
    const whole = this.#sequential && worthWhole(ref, extentBytes);
    this.#resources.reader.read(ref, offsetBytes, lengthBytes, whole, this.#plan);
  }

  /** The bytes [from, to) of a chunk as its committed extents have them. */
  committed(map: IntervalMap, from: number, to: number): void {
    let at = from;
    for (let index = map.indexAfter(from); at < to; index += 1) {
      const interval = map.at(index);
      if (interval === undefined || interval.start >= to) {
        this.hole(to - at);
        return;
      }
      if (interval.start > at) this.hole(interval.start - at);
      at = Math.max(at, interval.start);
      const end = Math.min(to, interval.end);
      this.#extent(interval, at, end);
      at = end;
    }
  }

  #extent({ extent }: Interval, from: number, to: number): void {
    const { geometry } = this.#resources;
    if (extent.location === undefined) {
      this.bytes(inlineBytes(extent, from, to));
      return;
    }
    for (let at = from; at < to;) {
      const { ref, offsetBytes } = blockAt(extent, at, geometry);
      const step = Math.min(to - at, ref.lengthBytes - offsetBytes);
      this.block(ref, offsetBytes, step, extent.lengthBytes);
      at += step;
    }
  }
}

function inlineBytes({ inline, offInSlice, posInChunk, slice }: Extent, from: number, to: number) {
  const start = offInSlice + from - posInChunk;
  const end = start + to - from;
  if (inline === undefined || inline.length < end) {
    throw new FsError("EIO", `slice ${slice} is shorter than its extent: corrupt metadata`);
  }
  return inline.subarray(start, end);
}

/** The extent is so large a part of the block that reading it in order is worth the whole block. */
export function worthWhole(ref: BlockRef, extentBytes: number): boolean {
  return extentBytes >= ref.lengthBytes * WHOLE_BLOCK_SHARE;
}
