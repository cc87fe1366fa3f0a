// Records of a dead slice whose shards wait for deletion: what it was, under its id, and its id
// under the number of its death.
import type { PoolId, SliceId } from "../../domain/ids.ts";
import { unknownVersion } from "./records.ts";

export interface Tombstone {
  /** Deaths are numbered in the order in which they happened. */
  death: number;
  slice: SliceId;
  pool: PoolId;
  storedBytes: number;
}

const VERSION = 2;
const DEATH_VERSION = 1;

export function encodeTombstone({
  death,
  pool,
  storedBytes,
}: Omit<Tombstone, "slice">): Uint8Array {
  const record = Buffer.allocUnsafe(21);
  record[0] = VERSION;
  record.writeUInt32LE(pool, 1);
  record.writeDoubleLE(storedBytes, 5);
  record.writeDoubleLE(death, 13);
  return record;
}

/** @throws FsError EIO on an unknown version */
export function decodeTombstone(slice: SliceId, record: Uint8Array): Tombstone {
  if (record[0] !== VERSION) throw unknownVersion("tombstone", record);
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  return {
    death: view.getFloat64(13, true),
    slice,
    pool: view.getUint32(1, true) as PoolId,
    storedBytes: view.getFloat64(5, true),
  };
}

export function encodeDeath(slice: SliceId): Uint8Array {
  const record = Buffer.allocUnsafe(9);
  record[0] = DEATH_VERSION;
  record.writeDoubleLE(slice, 1);
  return record;
}

/** @throws FsError EIO on an unknown version */
export function decodeDeath(record: Uint8Array): SliceId {
  if (record[0] !== DEATH_VERSION) throw unknownVersion("death", record);
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  return view.getFloat64(1, true) as SliceId;
}
