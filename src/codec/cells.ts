// Checksums of a shard's cells. CRC-32 because zlib computes it at many GB/s; it guards against
// faults, not against forgers.
import { crc32 } from "node:zlib";
import { cellCount } from "../domain/layout.ts";
import { CELL_BYTES } from "../domain/format.ts";

/**
 * CRC-32 (ISO 3309, as zlib.crc32) of each 64 KiB cell of `bytes`, the last one perhaps shorter.
 */
export function cellCrcs(bytes: Uint8Array): Uint32Array {
  const crcs = new Uint32Array(cellCount(bytes.length));
  for (let cell = 0; cell < crcs.length; cell++) crcs[cell] = crcOfCell(bytes, cell);
  return crcs;
}

/** Ascending indexes of the cells of `bytes` whose checksum isn't the one in `crcs`. */
export function corruptCells(bytes: Uint8Array, crcs: Uint32Array): number[] {
  const corrupt: number[] = [];
  // Cells without a checksum, and checksums without a cell, are corrupt as well.
  const cells = Math.max(cellCount(bytes.length), crcs.length);
  for (let cell = 0; cell < cells; cell++) {
    const isThere = cell * CELL_BYTES < bytes.length;
    if (!isThere || crcOfCell(bytes, cell) !== crcs[cell]) corrupt.push(cell);
  }
  return corrupt;
}

function crcOfCell(bytes: Uint8Array, cell: number): number {
  return crc32(bytes.subarray(cell * CELL_BYTES, (cell + 1) * CELL_BYTES));
}
