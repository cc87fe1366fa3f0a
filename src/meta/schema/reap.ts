// Record of something waiting to be reaped; the key says under which number its chunks are kept.
import type { Ino } from "../../domain/ids.ts";
import { unknownVersion } from "./records.ts";

export interface ReapRecord {
  /** The deleted inode whose xattrs go too. */
  xattrsOf: Ino | undefined;
}

const VERSION = 1;

export function encodeReap({ xattrsOf }: ReapRecord): Uint8Array {
  const record = Buffer.allocUnsafe(9);
  record[0] = VERSION;
  record.writeDoubleLE(xattrsOf ?? 0, 1);
  return record;
}

/** @throws FsError EIO on an unknown version */
export function decodeReap(record: Uint8Array): ReapRecord {
  if (record[0] !== VERSION) throw unknownVersion("reap", record);
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  const ino = view.getFloat64(1, true) as Ino;
  return { xattrsOf: ino === 0 ? undefined : ino };
}
