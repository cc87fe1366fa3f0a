// What a node's index keeps of a shard, and its stored form.
import { crc32 } from "node:zlib";
import { cellCount } from "../../domain/layout.ts";

/** What may have become of a shard. */
export type Damage = "corrupt" | "missing";

/** What the index keeps of a shard. */
export interface ShardFacts {
  readonly sizeBytes: number;
  /** Sealed. */
  readonly cellCrcs: Uint32Array;
  /** Bytes stand in the index itself, not in a file. */
  readonly packed: boolean;
}

/** No two records of a node have the same start and sequence: they name this very reception. */
export interface ShardRecord extends ShardFacts {
  /** Number of the start of the node that received the shard. */
  readonly start: number;
  /** Grows with every shard that a start receives. */
  readonly sequence: number;
}

// Record, little-endian: version u8, place u8 (0 packed, 1 file), cells u16, start u32, size u32,
// sequence u48, a CRC-32 a cell, CRC-32 of key and all before it.
const RECORD_VERSION = 2;
const RECORD_HEAD_BYTES = 18;
const PLACE_PACKED = 0;
const PLACE_FILE = 1;

export function encodeRecord(key: Buffer, record: ShardRecord): Buffer {
  const cells = record.cellCrcs.length;
  const value = Buffer.allocUnsafe(RECORD_HEAD_BYTES + cells * 4 + 4);
  value.writeUInt8(RECORD_VERSION, 0);
  value.writeUInt8(record.packed ? PLACE_PACKED : PLACE_FILE, 1);
  value.writeUInt16LE(cells, 2);
  value.writeUInt32LE(record.start, 4);
  value.writeUInt32LE(record.sizeBytes, 8);
  value.writeUIntLE(record.sequence, 12, 6);
  let at = RECORD_HEAD_BYTES;
  for (const crc of record.cellCrcs) at = value.writeUInt32LE(crc, at);
  value.writeUInt32LE(crc32(value.subarray(0, at), crc32(key)), at);
  return value;
}

/** The record of `key`; undefined when it is spoilt. */
export function decodeRecord(key: Buffer, value: Buffer): ShardRecord | undefined {
  const end = value.length - 4;
  if (end < RECORD_HEAD_BYTES) return undefined;
  if (value.readUInt32LE(end) !== crc32(value.subarray(0, end), crc32(key))) return undefined;
  const cells = value.readUInt16LE(2);
  const sizeBytes = value.readUInt32LE(8);
  const isWhole = cells === cellCount(sizeBytes) && end === RECORD_HEAD_BYTES + cells * 4;
  if (value.readUInt8(0) !== RECORD_VERSION || !isWhole) return undefined;
  const cellCrcs = new Uint32Array(cells);
  for (let cell = 0; cell < cells; cell++) {
    cellCrcs[cell] = value.readUInt32LE(RECORD_HEAD_BYTES + cell * 4);
  }
  const packed = value.readUInt8(1) === PLACE_PACKED;
  const [start, sequence] = [value.readUInt32LE(4), value.readUIntLE(12, 6)];
  return { sizeBytes, cellCrcs, packed, start, sequence };
}
