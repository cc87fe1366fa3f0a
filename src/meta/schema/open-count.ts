// Record of how often a session holds an inode open.
import { unknownVersion } from "./records.ts";

const VERSION = 1;

export function encodeOpenCount(count: number): Uint8Array {
  const record = Buffer.allocUnsafe(5);
  record[0] = VERSION;
  record.writeUInt32LE(count, 1);
  return record;
}

/** 0 for no record. @throws FsError EIO on an unknown version */
export function decodeOpenCount(record: Uint8Array | undefined): number {
  if (record === undefined) return 0;
  if (record[0] !== VERSION) throw unknownVersion("open count", record);
  return new DataView(record.buffer, record.byteOffset, record.byteLength).getUint32(1, true);
}
