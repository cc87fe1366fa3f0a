// Slices: each is counted by who cites it, extents cite none that isn't there, and the dead are
// found by gc.
import type { Ino, SliceId } from "../../domain/ids.ts";
import { copySlice, storedCopies } from "../copies/copy-records.ts";
import type { ReadTransaction } from "../engine/engine.ts";
import { decodeExtents } from "../schema/extents.ts";
import { firstNumber, keyRanges, keys } from "../schema/keys.ts";
import { decodeSlice, encodeSlice } from "../schema/slice.ts";
import { decodeDeath, decodeTombstone, encodeDeath } from "../schema/tombstone.ts";
import { inodeAt } from "./check-names.ts";
import { edit, witness, type Finding } from "./finding.ts";
import { tallies } from "./tallies.ts";

export function* checkSlices(tx: ReadTransaction, tallied?: number): Generator<Finding> {
  const seen = (): { cited: number } => ({ cited: 0 });
  for (const counts of tallies(tx, keyRanges.allSlices(), seen, tallied)) {
    for (const id of citedSlices(tx)) {
      const count = counts.get(id);
      if (count !== undefined) count.cited += 1;
    }
    for (const [id, { cited }] of counts) yield* checkSlice(tx, id as SliceId, cited);
  }
  for (const { key, value } of tx.range(keyRanges.allChunks())) {
    for (const { slice } of decodeExtents(value)) {
      if (tx.get(keys.slice(slice)) !== undefined) continue;
      const what = `data ${firstNumber(key)}: slice ${slice} is cited, but nothing is known of it`;
      yield { what, ...owner(tx, firstNumber(key)) };
    }
  }
}

function owner(tx: ReadTransaction, data: number): { ino?: Ino } {
  return inodeAt(tx, data as Ino) === undefined ? {} : { ino: data as Ino };
}

/** Each citation of a slice: by an extent, by a slice that is packed into it, by a copy. */
function* citedSlices(tx: ReadTransaction): Generator<SliceId> {
  for (const { value } of tx.range(keyRanges.allChunks())) {
    for (const { slice } of decodeExtents(value)) yield slice;
  }
  for (const { value } of tx.range(keyRanges.allSlices())) {
    const { packed } = decodeSlice(value);
    if (packed !== undefined) yield packed.id;
  }
  for (const { number, parts, sizeBytes } of storedCopies(tx)) {
    if (sizeBytes === undefined) continue;
    for (let part = 0; part < parts; part += 1) yield copySlice(number, part);
  }
}

function* checkSlice(tx: ReadTransaction, id: SliceId, cited: number): Generator<Finding> {
  const key = keys.slice(id);
  const record = tx.get(key);
  if (record === undefined) return;
  const slice = decodeSlice(record);
  if (cited === 0) {
    const what = `slice ${id}: ${slice.references} references, and nothing cites it`;
    yield { what, repair: { how: "it goes to gc", edits: [witness(tx, key)], bury: [id] } };
  } else if (slice.references !== cited) {
    const edits = [edit(tx, key, encodeSlice({ ...slice, references: cited }))];
    const what = `slice ${id}: ${slice.references} references, cited ${cited} times`;
    yield { what, repair: { how: `the count is set to ${cited}`, edits } };
  }
  const tombstone = tx.get(keys.tombstone(id));
  if (tombstone === undefined) return;
  const { death } = decodeTombstone(id, tombstone);
  const edits = [
    witness(tx, key),
    edit(tx, keys.tombstone(id), null),
    edit(tx, keys.death(death), null),
  ];
  yield { what: `slice ${id} lives and is dead`, repair: { how: "it lives", edits } };
}

/** Each tombstone has its place in the order of deaths, and each place its tombstone. */
export function* checkTombstones(tx: ReadTransaction): Generator<Finding> {
  for (const { key, value } of tx.range(keyRanges.tombstones())) {
    const slice = firstNumber(key) as SliceId;
    const { death } = decodeTombstone(slice, value);
    const place = tx.get(keys.death(death));
    if (place !== undefined && decodeDeath(place) === slice) continue;
    const what = `slice ${slice} is dead, and gc wouldn't find it`;
    if (place !== undefined) yield { what };
    else {
      const edits = [witness(tx, key), edit(tx, keys.death(death), encodeDeath(slice))];
      yield { what, repair: { how: "gc finds it again", edits } };
    }
  }
  for (const { key, value } of tx.range(keyRanges.deaths())) {
    const slice = decodeDeath(value);
    const tombstone = tx.get(keys.tombstone(slice));
    const death = firstNumber(key);
    if (tombstone !== undefined && decodeTombstone(slice, tombstone).death === death) continue;
    const edits = [edit(tx, key, null), witness(tx, keys.tombstone(slice))];
    const what = `death ${death} of slice ${slice} has no tombstone`;
    yield { what, repair: { how: "it is forgotten", edits } };
  }
}
