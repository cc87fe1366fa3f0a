import test from "ava";
import fc from "fast-check";
import { CELL_BYTES } from "../domain/format.ts";
import type { PoolId, ShardId, SliceId } from "../domain/ids.ts";
import { present } from "../testing/present.ts";
import { CellSeal } from "./cell-seal.ts";
import { cellCrcs } from "./cells.ts";

const MAX_SLICE = Number.MAX_SAFE_INTEGER;

const anyPlace = fc.record({
  cluster: fc.uuid(),
  pool: fc.nat(0xffff),
  slice: fc.nat(MAX_SLICE),
  index: fc.nat(0xffff),
  slot: fc.nat(0xff),
  cell: fc.nat(63),
});
type Place = typeof anyPlace extends fc.Arbitrary<infer T> ? T : never;

/** The place's group, which a seal doesn't know, is always another one. */
let groups = 0;

function shardOf({ pool, slice, index, slot }: Place): ShardId {
  return { pool: pool as PoolId, pg: groups++, slice: slice as SliceId, index, slot };
}

function maskOf(place: Place): number {
  const mask = new CellSeal(place.cluster).mask(shardOf(place), new Uint32Array(1), place.cell);
  return present(mask[0]);
}

test("places that differ in one thing never have the same mask", (t) => {
  const field = fc.constantFrom<keyof Place>("pool", "index", "slot", "cell");
  const differing = fc.property(anyPlace, anyPlace, field, (place, other, name) => {
    const moved = { ...place, [name]: other[name] };
    return moved[name] === place[name] || maskOf(moved) !== maskOf(place);
  });
  t.notThrows(() => fc.assert(differing));
  const low = fc.property(anyPlace, fc.nat(0xffff_ffff), (place, word) => {
    const high = Math.floor(place.slice / 2 ** 32) * 2 ** 32;
    const slice = Math.min(MAX_SLICE, high + word);
    return slice === place.slice || maskOf({ ...place, slice }) !== maskOf(place);
  });
  t.notThrows(() => fc.assert(low));
});

test("masks of neighbours and of clusters share no pattern: few pairs in a million", (t) => {
  const seen = new Set<number>();
  const clusters = Array.from({ length: 16 }, (_, at) => `cluster-${at}`);
  let places = 0;
  for (const cluster of clusters) {
    for (let slice = 0; slice < 64; slice++) {
      for (let index = 0; index < 4; index++) {
        for (let slot = 0; slot < 6; slot++) {
          for (let cell = 0; cell < 40; cell++) {
            seen.add(maskOf({ cluster, pool: 1, slice, index, slot, cell }));
            places++;
          }
        }
      }
    }
  }
  // By chance alone n²/2³³ pairs: 113.
  t.true(places - seen.size < 200, `${places - seen.size} pairs`);
});

test("what was sealed for one place is right there and corrupt anywhere else", (t) => {
  const bytes = new Uint8Array(2 * CELL_BYTES + 8).map((_, at) => at * 7);
  const place = { cluster: "a", pool: 1, slice: 5, index: 1, slot: 2, cell: 0 };
  const seal = new CellSeal("a");
  const sealed = seal.mask(shardOf(place), cellCrcs(bytes));
  t.deepEqual(seal.corruptCells(shardOf(place), bytes, sealed), []);
  t.deepEqual(seal.mask(shardOf(place), sealed), cellCrcs(bytes));
  const tail = bytes.subarray(CELL_BYTES);
  t.deepEqual(seal.corruptCells(shardOf(place), tail, sealed.subarray(1), 1), []);
  t.deepEqual(seal.corruptCells(shardOf(place), tail, sealed.subarray(1)), [0, 1]);
  t.deepEqual(new CellSeal("b").corruptCells(shardOf(place), bytes, sealed), [0, 1, 2]);
  for (const moved of [{ pool: 2 }, { slice: 6 }, { index: 0 }, { slot: 3 }]) {
    const other = shardOf({ ...place, ...moved });
    t.deepEqual(seal.corruptCells(other, bytes, sealed), [0, 1, 2], JSON.stringify(moved));
  }
});
