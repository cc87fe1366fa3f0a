// The journal's format. Each record can be told from anything else by itself, wherever it stands,
// so that what was lost in front of it shows; and each names the one before, so that only an
// unbroken beginning is ever replayed.
//
//   head    "DFSJ" version(1) 0 0 0 generation(8) store id(16) crc32(4), of what is before it
//   record  mark(4) checksum(4) length(4) previous(4) position(8) durable(8) changes
//           mark: the head's crc, which no user data knows. checksum: crc32 that runs on from the
//           head's, of what follows. length: of the changes. previous: the checksum of the record
//           before, in the file of the generation before too; 0 where that is in the database.
//           position: the engine's with these changes. durable: up to which all was on disk when
//           this was written. Both are doubles.
//   change  keyLength(2) valueLength(4, 0xffffffff: deleted) key value       all little-endian
//   room    zeroes, up to the end of the file
import { crc32 } from "node:zlib";
import type { Changes } from "./layers.ts";

const MAGIC = "DFSJ";
export const JOURNAL_VERSION = 2;
const HEAD_CRC_AT = 32;
export const FILE_HEAD = HEAD_CRC_AT + 4;
/** What a record's checksum covers begins here. */
const CHECKED_FROM = 8;
export const RECORD_HEAD = 32;
const CHANGE_HEAD = 6;
const DELETED = 0xffffffff;

/** What each record of a file says beside its changes. */
export interface RecordFacts {
  /** Checksum of the record before. */
  readonly previous: number;
  readonly position: number;
  readonly durable: number;
}

export interface JournalRecord extends RecordFacts {
  readonly checksum: number;
  readonly changes: Buffer;
  /** Where the next record begins. */
  readonly end: number;
}

/** A file's head, which its store and its generation make. */
export function encodeHead(storeId: string, generation: number): Buffer {
  const head = Buffer.alloc(FILE_HEAD);
  head.write(MAGIC, "latin1");
  head[4] = JOURNAL_VERSION;
  head.writeBigUInt64LE(BigInt(generation), 8);
  head.write(storeId.replaceAll("-", ""), 16, "hex");
  head.writeUInt32LE(crc32(head.subarray(0, HEAD_CRC_AT)), HEAD_CRC_AT);
  return head;
}

/** What a file has where its head should be. */
export type HeadFinding = "expected" | "another store's" | "another version's" | "spoilt";

export function examineHead(file: Buffer, expected: Buffer): HeadFinding {
  const head = file.subarray(0, FILE_HEAD);
  if (head.equals(expected)) return "expected";
  if (head.length < 8 || head.toString("latin1", 0, 4) !== MAGIC) return "spoilt";
  if (head[4] === 1) return "another version's";
  if (head.length < FILE_HEAD) return "spoilt";
  const whole = crc32(head.subarray(0, HEAD_CRC_AT)) === head.readUInt32LE(HEAD_CRC_AT);
  if (!whole) return "spoilt";
  return head[4] === JOURNAL_VERSION ? "another store's" : "another version's";
}

/** Mark and checksum seed of the records behind a head. */
export function seedOf(head: Buffer): number {
  return head.readUInt32LE(HEAD_CRC_AT);
}

/** Fills in the head of a record whose changes end at `end`. Returns its checksum. */
export function sealRecord(buffer: Buffer, end: number, seed: number, facts: RecordFacts): number {
  buffer.writeUInt32LE(end - RECORD_HEAD, 8);
  buffer.writeUInt32LE(facts.previous, 12);
  buffer.writeDoubleLE(facts.position, 16);
  buffer.writeDoubleLE(facts.durable, 24);
  const checksum = crc32(buffer.subarray(CHECKED_FROM, end), seed);
  buffer.writeUInt32LE(seed, 0);
  buffer.writeUInt32LE(checksum, 4);
  return checksum;
}

/** The record at `at`; undefined where none stands there whole. */
export function readRecord(file: Buffer, at: number, seed: number): JournalRecord | undefined {
  if (at + RECORD_HEAD > file.length || file.readUInt32LE(at) !== seed) return undefined;
  const end = at + RECORD_HEAD + file.readUInt32LE(at + 8);
  if (end > file.length) return undefined;
  const checksum = file.readUInt32LE(at + 4);
  if (crc32(file.subarray(at + CHECKED_FROM, end), seed) !== checksum) return undefined;
  return {
    checksum,
    previous: file.readUInt32LE(at + 12),
    position: file.readDoubleLE(at + 16),
    durable: file.readDoubleLE(at + 24),
    changes: file.subarray(at + RECORD_HEAD, end),
    end,
  };
}

/** Zeroes alone from `at` on: no record was ever written there, or none of them is left. */
export function isRoom(file: Buffer, at: number): boolean {
  return Buffer.alloc(file.length - at).equals(file.subarray(at));
}

/** Every whole record from `from` on, whatever stands between them. */
export function* findRecords(file: Buffer, from: number, seed: number): Generator<JournalRecord> {
  const mark = Buffer.alloc(4);
  mark.writeUInt32LE(seed);
  for (let at = file.indexOf(mark, from); at >= 0;) {
    const record = readRecord(file, at, seed);
    if (record !== undefined) yield record;
    at = file.indexOf(mark, record?.end ?? at + 1);
  }
}

/** The bytes that a change takes. */
export function changeBytes(key: string, value: Uint8Array | null): number {
  return CHANGE_HEAD + key.length + (value === null ? 0 : value.length);
}

/** Returns where the next change goes. */
export function writeChange(
  buffer: Buffer,
  at: number,
  key: string,
  value: Uint8Array | null,
): number {
  buffer.writeUInt16LE(key.length, at);
  buffer.writeUInt32LE(value === null ? DELETED : value.length, at + 2);
  const valueAt = at + CHANGE_HEAD + key.length;
  buffer.write(key, at + CHANGE_HEAD, "latin1");
  if (value === null) return valueAt;
  buffer.set(value, valueAt);
  return valueAt + value.length;
}

/** Redoes a record's changes. */
export function readChanges(record: Buffer, changes: Changes): void {
  for (let at = 0; at < record.length;) {
    const keyEnd = at + CHANGE_HEAD + record.readUInt16LE(at);
    const valueLength = record.readUInt32LE(at + 2);
    const key = record.toString("latin1", at + CHANGE_HEAD, keyEnd);
    const deleted = valueLength === DELETED;
    const end = deleted ? keyEnd : keyEnd + valueLength;
    changes.set(key, deleted ? null : record.subarray(keyEnd, end));
    at = end;
  }
}
