// Slice records: how often a slice is cited, and where its bytes are.
import type { PoolId, SliceId } from "../../domain/ids.ts";
import type { SliceLocation } from "../../domain/layout.ts";
import { unknownVersion } from "./records.ts";

export interface SliceRecord {
  /** Extents, and slices packed into this one, that cite it. */
  references: number;
  pool: PoolId;
  /** Length of the slice's own bytes. */
  storedBytes: number;
  /** It has blocks on the nodes, and nobody has shown yet that they are on disk. */
  unsettled?: true;
  /** Its bytes, where they have no stripes. */
  inline?: Uint8Array;
  /** Where its bytes went when they were packed into a shared slice. */
  packed?: SliceLocation;
}

const VERSION = 2;
const STRIPED = 0;
const INLINE = 1;
const PACKED = 2;
const UNSETTLED = 3;
const HEAD = 18;

export function encodeSlice(slice: SliceRecord): Uint8Array {
  const { inline, packed } = slice;
  const tail = inline !== undefined ? inline.length : packed !== undefined ? 28 : 0;
  const record = Buffer.allocUnsafe(HEAD + tail);
  record[0] = VERSION;
  record[1] = kindOf(slice);
  record.writeUInt32LE(slice.references, 2);
  record.writeUInt32LE(slice.pool, 6);
  record.writeDoubleLE(slice.storedBytes, 10);
  if (inline !== undefined) record.set(inline, HEAD);
  else if (packed !== undefined) {
    record.writeDoubleLE(packed.id, HEAD);
    record.writeUInt32LE(packed.pool, HEAD + 8);
    record.writeDoubleLE(packed.storedBytes, HEAD + 12);
    record.writeDoubleLE(packed.baseBytes, HEAD + 20);
  }
  return record;
}

function kindOf({ inline, packed, unsettled }: SliceRecord): number {
  if (inline !== undefined) return INLINE;
  if (packed !== undefined) return PACKED;
  return unsettled === true ? UNSETTLED : STRIPED;
}

/** `inline` of the result shares memory with `record`. @throws FsError EIO on an unknown version */
export function decodeSlice(record: Uint8Array): SliceRecord {
  if (record[0] !== VERSION) throw unknownVersion("slice", record);
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  const slice: SliceRecord = {
    references: view.getUint32(2, true),
    pool: view.getUint32(6, true) as PoolId,
    storedBytes: view.getFloat64(10, true),
  };
  if (record[1] === UNSETTLED) slice.unsettled = true;
  else if (record[1] === INLINE) slice.inline = record.subarray(HEAD);
  else if (record[1] === PACKED) {
    slice.packed = {
      id: view.getFloat64(HEAD, true) as SliceId,
      pool: view.getUint32(HEAD + 8, true) as PoolId,
      storedBytes: view.getFloat64(HEAD + 12, true),
      baseBytes: view.getFloat64(HEAD + 20, true),
    };
  }
  return slice;
}
