// The namespace's running totals, in one record because nearly every change needs both of them.
import { unknownVersion } from "./records.ts";

export interface Totals {
  /** Inodes there are, unlinked but open ones among them. */
  inodes: number;
  /** Sum of their allocatedBytes. */
  bytes: number;
}

/** Version 1 had the next number as well. */
const VERSION = 2;

export function encodeTotals(totals: Totals): Uint8Array {
  const record = Buffer.allocUnsafe(17);
  record[0] = VERSION;
  record.writeDoubleLE(totals.inodes, 1);
  record.writeDoubleLE(totals.bytes, 9);
  return record;
}

/** @throws FsError EIO on an unknown version */
export function decodeTotals(record: Uint8Array): Totals {
  if (record[0] !== VERSION) throw unknownVersion("totals", record);
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  return { inodes: view.getFloat64(1, true), bytes: view.getFloat64(9, true) };
}
