// A copy of the metadata as one stream of bytes: how it is laid out, and the coding of its frames.
// Nothing here knows of engines or files.
//
//   copy    "DFSCOPY" version(1), then frames
//   frame   kind(1) length(4) crc32(4) body; the crc covers kind, length and body, and runs on from
//           the frame before, so that frames can't be left out, moved or taken from another copy
//   head    kind 1, the first: CopyHead
//   changes kind 2, any number: those behind overrule those before
//   end     kind 3, the last: CopyEnd, with the SHA-256 of all before it
//   change  keyLength(2) valueLength(4, 0xffffffff: deleted) key value       all little-endian
import { crc32 } from "node:zlib";
import { Packr } from "msgpackr";
import { FsError } from "../../domain/errno.ts";
import type { Incarnation } from "../../protocol/rpc/acknowledged.ts";

const MAGIC = "DFSCOPY";
/** Of this layout; the records inside have versions of their own. */
const VERSION = 2;
export const COPY_PREFIX = Buffer.concat([Buffer.from(MAGIC, "latin1"), Buffer.of(VERSION)]);
export const FRAME_HEAD_BYTES = 9;
/** More is no frame of ours: the largest is a page and one value. */
export const MAX_FRAME_BYTES = 16 * 1024 * 1024;
const CHANGE_HEAD = 6;
const DELETED = 0xffffffff;

export const FRAME = { head: 1, changes: 2, end: 3 } as const;
export type FrameKind = (typeof FRAME)[keyof typeof FRAME];

/** What is known of a copy when it begins. */
export interface CopyHead {
  readonly clusterId: string;
  /** Wall clock when it was begun. */
  readonly madeMs: number;
}

/** What is known when it is whole. */
export interface CopyEnd {
  /** Count of the transactions whose changes it holds: all up to this one. */
  readonly position: number;
  readonly incarnations: readonly Incarnation[];
  /** Of the copy, puts and deletions together. */
  readonly changes: number;
  /** SHA-256, hex, of all bytes before this frame. */
  readonly sha256: string;
}

/** A key and its value; null: it is deleted. */
export type CopyChange = readonly [key: Uint8Array, value: Uint8Array | null];

const packr = new Packr({ useRecords: false, mapsAsObjects: true });

export function encodeFrameBody(value: CopyHead | CopyEnd): Buffer {
  return packr.pack(value);
}

/** Inverse of encodeFrameBody, for a body whose checksum holds. */
export function decodeFrameBody(body: Uint8Array): unknown {
  return packr.unpack(body);
}

export function changeBytes([key, value]: CopyChange): number {
  return CHANGE_HEAD + key.length + (value?.length ?? 0);
}

/** The body of a frame of changes. */
export function encodeChanges(changes: readonly CopyChange[]): Buffer {
  const body = Buffer.allocUnsafe(changes.reduce((sum, change) => sum + changeBytes(change), 0));
  let at = 0;
  for (const [key, value] of changes) {
    at = body.writeUInt16LE(key.length, at);
    at = body.writeUInt32LE(value === null ? DELETED : value.length, at);
    body.set(key, at);
    at += key.length;
    if (value === null) continue;
    body.set(value, at);
    at += value.length;
  }
  return body;
}

/** Inverse of encodeChanges; keys and values are views of `body`. */
export function decodeChanges(body: Buffer): CopyChange[] {
  const changes: CopyChange[] = [];
  for (let at = 0; at < body.length;) {
    const keyEnd = at + CHANGE_HEAD + body.readUInt16LE(at);
    const valueLength = body.readUInt32LE(at + 2);
    const key = body.subarray(at + CHANGE_HEAD, keyEnd);
    const isDeleted = valueLength === DELETED;
    const end = isDeleted ? keyEnd : keyEnd + valueLength;
    changes.push([key, isDeleted ? null : body.subarray(keyEnd, end)]);
    at = end;
  }
  return changes;
}

/** The frame, and the checksum that the next one goes on from. */
export function encodeFrame(kind: FrameKind, body: Uint8Array, follows: number): [Buffer, number] {
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + body.length);
  frame.writeUInt8(kind, 0);
  frame.writeUInt32LE(body.length, 1);
  frame.set(body, FRAME_HEAD_BYTES);
  const crc = frameCrc(frame, follows);
  frame.writeUInt32LE(crc, 5);
  return [frame, crc];
}

/** Of a whole frame. */
export function frameCrc(frame: Buffer, follows: number): number {
  return crc32(frame.subarray(FRAME_HEAD_BYTES), crc32(frame.subarray(0, 5), follows));
}

/** @throws FsError EINVAL when the bytes aren't a copy's first, or another release's */
export function checkPrefix(bytes: Buffer): void {
  if (bytes.toString("latin1", 0, MAGIC.length) !== MAGIC) {
    throw new FsError("EINVAL", "this is no copy of dfs metadata");
  }
  const version = bytes[MAGIC.length] ?? 0;
  if (version === VERSION) return;
  throw new FsError(
    "EINVAL",
    `the copy has format version ${version}, and this dfs reads version ${VERSION}; ` +
      "use the release that made it",
  );
}
