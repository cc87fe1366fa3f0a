// File content that says of each of its bytes who wrote it, and where: records of one stamp over
// and over.
//
//   file(4) operation(4) place(4, in records) crc32 of the cluster and those(4)     little-endian
import { crc32 } from "node:zlib";

export const RECORD_BYTES = 256;
const STAMP_BYTES = 16;
const HOLE = Buffer.alloc(RECORD_BYTES);

export interface Stamp {
  readonly file: number;
  readonly operation: number;
  readonly place: number;
}

/** @param cluster its seed: bytes of another cluster are never taken for this one's */
export function stampedBytes(
  cluster: number,
  file: number,
  operation: number,
  offset: number,
  lengthBytes: number,
): Buffer {
  const bytes = Buffer.alloc(lengthBytes);
  for (let at = 0; at < lengthBytes; at += RECORD_BYTES) {
    bytes.writeUInt32LE(file, at);
    bytes.writeUInt32LE(operation, at + 4);
    bytes.writeUInt32LE((offset + at) / RECORD_BYTES, at + 8);
    bytes.writeUInt32LE(crc32(bytes.subarray(at, at + 12), cluster), at + 12);
    spread(bytes, at);
  }
  return bytes;
}

/** "hole" where there are zeroes; undefined where it is nothing that was ever written. */
export function readStamp(cluster: number, bytes: Buffer, at: number): Stamp | "hole" | undefined {
  const record = bytes.subarray(at, at + RECORD_BYTES);
  if (record.equals(HOLE)) return "hole";
  const whole = Buffer.from(record);
  spread(whole, 0);
  const isRight = record.readUInt32LE(12) === crc32(record.subarray(0, 12), cluster);
  if (!isRight || !whole.equals(record)) return undefined;
  const [file, operation, place] = [0, 4, 8].map((field) => record.readUInt32LE(field));
  return { file: file ?? 0, operation: operation ?? 0, place: place ?? 0 };
}

/** Fills the record at `at` with its first stamp. */
function spread(bytes: Buffer, at: number): void {
  for (let done = STAMP_BYTES; done < RECORD_BYTES; done *= 2) {
    bytes.copyWithin(at + done, at, at + done);
  }
}
