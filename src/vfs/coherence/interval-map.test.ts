import test from "ava";
import fc from "fast-check";
import type { SliceId } from "../../domain/ids.ts";
import { IntervalMap } from "./interval-map.ts";

const extent = fc.record({
  posInChunk: fc.integer({ min: 0, max: 80 }),
  lengthBytes: fc.integer({ min: 1, max: 40 }),
});

test("each byte shows the newest extent that covers it, in sorted intervals", (t) => {
  fc.assert(
    fc.property(fc.array(extent, { maxLength: 30, size: "max" }), (extents) => {
      const map = new IntervalMap();
      const owners = Array.from({ length: 120 }, () => -1);
      extents.forEach(({ posInChunk, lengthBytes }, index) => {
        map.insert({ posInChunk, lengthBytes, offInSlice: 0, slice: index as SliceId });
        owners.fill(index, posInChunk, posInChunk + lengthBytes);
      });
      const shown = Array.from({ length: 120 }, () => -1);
      let last = 0;
      for (let index = 0, interval = map.at(0); interval; interval = map.at(++index)) {
        if (interval.start < last || interval.end <= interval.start) {
          throw new Error("intervals are out of order");
        }
        last = interval.end;
        shown.fill(interval.extent.slice, interval.start, interval.end);
      }
      t.deepEqual(shown, owners);
      for (let position = 0; position < 120; position += 1) {
        const after = map.at(map.indexAfter(position));
        t.true(after === undefined || after.end > position);
        const before = map.at(map.indexAfter(position) - 1);
        t.true(before === undefined || before.end <= position);
      }
    }),
  );
});
