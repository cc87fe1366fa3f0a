// Which slots of a stripe are at hand and which are wanted: lists, bit flags and their checks.
import { FsError } from "../domain/errno.ts";
import { invariant } from "../domain/invariant.ts";
import type { CodingPolicy } from "../domain/layout.ts";

/** By slot, the same run of some shards of a stripe. */
export type Slots = readonly (Uint8Array | undefined)[];

/** Ascending slots that have bytes. */
export function presentSlots(slots: Slots): number[] {
  const present: number[] = [];
  slots.forEach((bytes, slot) => {
    if (bytes !== undefined) present.push(slot);
  });
  return present;
}

/** Bit i stands for slot i. */
export function slotFlags(slots: readonly number[]): number {
  return slots.reduce((flags, slot) => flags | (1 << slot), 0);
}

/**
 * Bytes of the run that all of `sources` and `targets` cover.
 * @throws FsError EIO when there are fewer than k sources
 */
export function requireRunBytes(sources: Slots, targets: Slots, policy: CodingPolicy): number {
  const slotCount = policy.k + policy.m;
  const slots = Math.max(sources.length, targets.length);
  invariant(slots <= slotCount, "a stripe has no such slot", { slots, ...policy });
  const present = presentSlots(sources);
  if (present.length < policy.k) {
    throw new FsError("EIO", `only ${present.length} of ${policy.k} shards needed are at hand`);
  }
  const both = present.find((slot) => targets[slot] !== undefined);
  invariant(both === undefined, "a slot is both source and target", { slot: both });
  const runBytes = sources[present[0] ?? 0]?.length ?? 0;
  const odd = [...sources, ...targets].find((run) => run !== undefined && run.length !== runBytes);
  invariant(odd === undefined, "runs differ in length", { runBytes, odd: odd?.length });
  invariant(runBytes % 8 === 0, "a run isn't a multiple of 8 bytes", { runBytes });
  return runBytes;
}
