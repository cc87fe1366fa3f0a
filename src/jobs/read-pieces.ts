// Gathers bytes that lie in many slices into one buffer, reading what lies close together in one
// go.
import type { BlockStore } from "../stripes/block-store.ts";
import { FsError } from "../domain/errno.ts";
import type { BlockRef, SliceLocation } from "../domain/layout.ts";
import { blockLengthBytes } from "../domain/layout.ts";
import { BLOCK_BYTES } from "../domain/format.ts";
import { GATHER_GAP_BYTES, GATHER_READS_AT_ONCE } from "./limits.ts";
import { forEachBounded } from "./concurrency.ts";

/** `lengthBytes` of a slice from `offInSlice` on. */
export interface SlicePiece {
  readonly lengthBytes: number;
  readonly offInSlice?: number;
  readonly inline?: Uint8Array;
  readonly location?: SliceLocation;
}

interface Part {
  offsetBytes: number;
  lengthBytes: number;
  target: number;
}

interface BlockParts {
  ref: BlockRef;
  parts: Part[];
}

/**
 * Fills `target` with the pieces, one after the other. Beside it at most GATHER_READS_AT_ONCE
 * blocks of memory are in use. @throws FsError EIO where bytes can't be had
 */
export async function readPieces(
  blocks: Pick<BlockStore, "readBlock">,
  pieces: readonly SlicePiece[],
  target: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  const byBlock = new Map<string, BlockParts>();
  let at = 0;
  for (const piece of pieces) {
    const { inline, lengthBytes, offInSlice = 0 } = piece;
    if (inline !== undefined) target.set(inline.subarray(offInSlice, offInSlice + lengthBytes), at);
    else addParts(byBlock, piece, at);
    at += lengthBytes;
  }
  const reads = [...byBlock.values()].flatMap(({ ref, parts }) => {
    return closeTogether(parts).map((run) => ({ ref, run }));
  });
  await forEachBounded(reads, GATHER_READS_AT_ONCE, ({ ref, run }) => {
    return readRun(blocks, ref, run, target, signal);
  });
}

function addParts(byBlock: Map<string, BlockParts>, piece: SlicePiece, target: number): void {
  const { location, lengthBytes, offInSlice = 0 } = piece;
  if (location === undefined) throw new FsError("EIO", "a slice has no bytes: corrupt metadata");
  const { id: slice, pool, storedBytes, baseBytes } = location;
  const begin = baseBytes + offInSlice;
  if (begin + lengthBytes > storedBytes) {
    throw new FsError("EIO", `slice ${slice} is shorter than what cites it: corrupt metadata`);
  }
  for (let done = 0; done < lengthBytes;) {
    const index = Math.floor((begin + done) / BLOCK_BYTES);
    const offsetBytes = begin + done - index * BLOCK_BYTES;
    const step = Math.min(lengthBytes - done, BLOCK_BYTES - offsetBytes);
    const name = `${pool} ${slice} ${index}`;
    let block = byBlock.get(name);
    if (block === undefined) {
      const ref = { pool, slice, index, lengthBytes: blockLengthBytes(storedBytes, index) };
      block = { ref, parts: [] };
      byBlock.set(name, block);
    }
    block.parts.push({ offsetBytes, lengthBytes: step, target: target + done });
    done += step;
  }
}

/** A gap of GATHER_GAP_BYTES costs less to read than another request. */
function closeTogether(parts: readonly Part[]): Part[][] {
  const runs: Part[][] = [];
  let end = -Infinity;
  for (const part of parts.toSorted((a, b) => a.offsetBytes - b.offsetBytes)) {
    const run = runs.at(-1);
    if (run === undefined || part.offsetBytes > end + GATHER_GAP_BYTES) runs.push([part]);
    else run.push(part);
    end = Math.max(end, part.offsetBytes + part.lengthBytes);
  }
  return runs;
}

async function readRun(
  blocks: Pick<BlockStore, "readBlock">,
  ref: BlockRef,
  run: readonly Part[],
  target: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  const [first] = run;
  if (first === undefined) return;
  if (run.length === 1) {
    const view = target.subarray(first.target, first.target + first.lengthBytes);
    await blocks.readBlock(ref, first.offsetBytes, view, signal);
    return;
  }
  const from = first.offsetBytes;
  let end = from;
  for (const part of run) end = Math.max(end, part.offsetBytes + part.lengthBytes);
  const bytes = Buffer.allocUnsafeSlow(end - from);
  await blocks.readBlock(ref, from, bytes, signal);
  for (const { offsetBytes, lengthBytes, target: at } of run) {
    target.set(bytes.subarray(offsetBytes - from, offsetBytes - from + lengthBytes), at);
  }
}
