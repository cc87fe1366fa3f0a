// The namespace's own counters, in one record because nearly every operation needs several of them.
import { unknownVersion } from "./records.ts";

export interface Totals {
  /** The next number to be given to an inode, a cookie or a file's data. */
  nextId: number;
  /** Inodes there are, unlinked but open ones among them. */
  inodes: number;
  /** Sum of their allocatedBytes. */
  bytes: number;
}

const VERSION = 1;

export function encodeTotals(totals: Totals): Uint8Array {
  const record = Buffer.allocUnsafe(25);
  record[0] = VERSION;
  record.writeDoubleLE(totals.nextId, 1);
  record.writeDoubleLE(totals.inodes, 9);
  record.writeDoubleLE(totals.bytes, 17);
  return record;
}

/** @throws FsError EIO on an unknown version */
export function decodeTotals(record: Uint8Array): Totals {
  if (record[0] !== VERSION) throw unknownVersion("totals", record);
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  return {
    nextId: view.getFloat64(1, true),
    inodes: view.getFloat64(9, true),
    bytes: view.getFloat64(17, true),
  };
}
