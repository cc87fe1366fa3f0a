// Generic coding of stored values: a version byte, then MessagePack. Hot records (inodes, dentries,
// extents, slices) have layouts of their own in the files beside this one, with a version byte too.
import { Packr } from "msgpackr";
import { FsError } from "../../domain/errno.ts";

const packr = new Packr({ useRecords: false, mapsAsObjects: true });

/**
 * `value` is what MessagePack can say: plain objects, arrays, strings, numbers, Uint8Array, null.
 */
export function encodeRecord(version: number, value: unknown): Uint8Array {
  const body = packr.pack(value);
  const record = Buffer.allocUnsafe(1 + body.length);
  record[0] = version;
  record.set(body, 1);
  return record;
}

/** One reader a version ever written; it turns the value as stored then into today's. */
export type RecordReaders<T> = Readonly<Record<number, (value: unknown) => T>>;

/**
 * Inverse of encodeRecord. Bytes in the result don't share memory with `record`.
 * @throws FsError EIO when the version is none of `readers` (written by a newer release)
 */
export function decodeRecord<T>(record: Uint8Array, readers: RecordReaders<T>): T {
  const read = readers[record[0] ?? -1];
  if (read === undefined) throw unknownVersion("record", record);
  return read(packr.unpack(record.subarray(1)));
}

export function unknownVersion(what: string, record: Uint8Array): FsError {
  return new FsError("EIO", `stored ${what} has version ${record[0] ?? -1}, unknown here`);
}
