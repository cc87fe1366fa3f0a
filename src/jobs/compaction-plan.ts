// Which extents of a chunk are worth putting into one slice. Pure: from positions and lengths
// alone.
import { BLOCK_BYTES } from "../domain/format.ts";
import { COMPACT_MIN_EXTENTS, COMPACT_WORTH_BYTES } from "./limits.ts";
import type { StoredExtent } from "../meta/schema/extents.ts";

/**
 * The run of at most a block that gains most. An extent fewer is worth rewriting
 * COMPACT_WORTH_BYTES, so a run is worth it where its extents are shorter than that on average; one
 * behind a hole stays an extent. One at the edge as long as all others together stays out, else a
 * file that grows by small writes would be rewritten with each.
 * @param extents in order of position
 */
export function pickFragmented(extents: readonly StoredExtent[]): readonly StoredExtent[] {
  if (extents.length < COMPACT_MIN_EXTENTS) return [];
  let best = { from: 0, to: 0, gain: 0 };
  let from = 0;
  let bytes = 0;
  let gain = 0;
  extents.forEach((extent, index) => {
    gain += worthOf(extents, index);
    if (gain < 0) {
      from = index;
      bytes = 0;
      gain = 0;
    }
    bytes += extent.lengthBytes;
    gain -= extent.lengthBytes;
    while (bytes > BLOCK_BYTES) {
      const first = extents[from]?.lengthBytes ?? 0;
      from += 1;
      bytes -= first;
      gain += first - worthOf(extents, from);
    }
    if (gain > best.gain) best = { from, to: index + 1, gain };
  });
  const run = withoutLongEdges(extents.slice(best.from, best.to));
  const fewer = run.filter((extent, index) => touches(extent, run[index - 1])).length;
  return fewer + 1 < COMPACT_MIN_EXTENTS ? [] : run;
}

/** What it is worth that the extent and the one before it become one. */
function worthOf(extents: readonly StoredExtent[], index: number): number {
  const extent = extents[index];
  return extent !== undefined && touches(extent, extents[index - 1]) ? COMPACT_WORTH_BYTES : 0;
}

function touches({ posInChunk }: StoredExtent, before: StoredExtent | undefined): boolean {
  return before !== undefined && before.posInChunk + before.lengthBytes === posInChunk;
}

function withoutLongEdges(run: readonly StoredExtent[]): readonly StoredExtent[] {
  let bytes = run.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  let from = 0;
  let to = run.length;
  while (from < to) {
    const head = run[from]?.lengthBytes ?? 0;
    const tail = run[to - 1]?.lengthBytes ?? 0;
    if (head * 2 <= bytes && tail * 2 <= bytes) break;
    if (head >= tail) from += 1;
    else to -= 1;
    bytes -= Math.max(head, tail);
  }
  return run.slice(from, to);
}
