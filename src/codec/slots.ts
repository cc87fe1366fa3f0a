// Which slots of a stripe are at hand and which are wanted: lists, bit flags and their checks.
import { FsError } from "../domain/errno.ts";
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
 * @throws RangeError lengths differ or aren't a multiple of 8, or a slot is odd
 */
export function requireRunBytes(sources: Slots, targets: Slots, policy: CodingPolicy): number {
  const slotCount = policy.k + policy.m;
  if (sources.length > slotCount || targets.length > slotCount) {
    throw new RangeError(`a stripe of ${policy.k}+${policy.m} has no slot past ${slotCount - 1}`);
  }
  const present = presentSlots(sources);
  if (present.length < policy.k) {
    throw new FsError("EIO", `only ${present.length} of ${policy.k} shards needed are at hand`);
  }
  const both = present.find((slot) => targets[slot] !== undefined);
  if (both !== undefined) throw new RangeError(`slot ${both} is both source and target`);
  const runBytes = sources[present[0] ?? 0]?.length ?? 0;
  const odd = [...sources, ...targets].find((run) => run !== undefined && run.length !== runBytes);
  if (odd !== undefined) throw new RangeError(`runs of ${odd.length} and ${runBytes} bytes`);
  if (runBytes % 8 !== 0) throw new RangeError(`run of ${runBytes} bytes isn't a multiple of 8`);
  return runBytes;
}
