// Record of a slice that an inode cites and that nobody has shown to be on the nodes' disks.
import type { SessionId } from "../../domain/ids.ts";
import { unknownVersion } from "./records.ts";

export interface UnsettledRecord {
  /** That committed or copied it. */
  session: SessionId;
  /** When, by the server's clock. */
  sinceMs: number;
}

const VERSION = 2;

export function encodeUnsettled({ session, sinceMs }: UnsettledRecord): Uint8Array {
  const record = Buffer.allocUnsafe(17);
  record[0] = VERSION;
  record.writeDoubleLE(session, 1);
  record.writeDoubleLE(sinceMs, 9);
  return record;
}

/** @throws FsError EIO on an unknown version */
export function decodeUnsettled(record: Uint8Array): UnsettledRecord {
  if (record[0] !== VERSION) throw unknownVersion("unsettled slice", record);
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  return { session: view.getFloat64(1, true) as SessionId, sinceMs: view.getFloat64(9, true) };
}
