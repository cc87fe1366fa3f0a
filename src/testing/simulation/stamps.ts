// File content that says of each of its bytes who wrote it, and where: records of one stamp over
// and over.
//
//   file(4) operation(4) place(4, in records) sum of the cluster and those(4)     little-endian
import type { SeededRandom } from "../seeded-random.ts";

export const RECORD_BYTES = 256;
const STAMP_BYTES = 16;

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
    bytes.writeUInt32LE(sumOf(cluster, file, operation, (offset + at) / RECORD_BYTES), at + 12);
    spread(bytes, at);
  }
  return bytes;
}

/** "hole" where there are zeroes; undefined where it is nothing that was ever written. */
export function readStamp(cluster: number, bytes: Buffer, at: number): Stamp | "hole" | undefined {
  const [file, operation] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)];
  const [place, sum] = [bytes.readUInt32LE(at + 8), bytes.readUInt32LE(at + 12)];
  // The same from stamp to stamp.
  const end = at + RECORD_BYTES;
  if (bytes.compare(bytes, at, end - STAMP_BYTES, at + STAMP_BYTES, end) !== 0) return undefined;
  if (file === 0 && operation === 0 && place === 0 && sum === 0) return "hole";
  if (sum !== sumOf(cluster, file, operation, place)) return undefined;
  return { file, operation, place };
}

/** Tells clusters, and bits that flipped, apart. */
function sumOf(cluster: number, file: number, operation: number, place: number): number {
  let sum = cluster ^ 0x9e3779b9;
  for (const number of [file, operation, place]) {
    sum = Math.imul(sum ^ number, 0x85ebca6b);
    sum ^= sum >>> 15;
  }
  return sum >>> 0;
}

/** Fills the record at `at` with its first stamp. */
function spread(bytes: Buffer, at: number): void {
  for (let done = STAMP_BYTES; done < RECORD_BYTES; done *= 2) {
    bytes.copyWithin(at + done, at, at + done);
  }
}

/** What a program writes at once: some records, mostly few. */
export function someLength(random: SeededRandom): number {
  const most = random.weighted({ 1: 2, 16: 2, 64: 2, 256: 4 });
  return (1 + random.below(Number(most))) * RECORD_BYTES;
}
