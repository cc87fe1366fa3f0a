// How ShardService travels over HTTP: routes, headers and the framing of batch bodies.
// Numbers in bodies are little-endian; shard keys are those of shard-key.ts.
import { FsError } from "../../domain/errno.ts";
import { formatShardId, type ShardId } from "../../domain/ids.ts";
import { cellCount } from "../../domain/layout.ts";
import { MAX_BATCH_BYTES, MAX_BATCH_SHARDS } from "./limits.ts";
import { MAX_SHARD_BYTES } from "../../domain/format.ts";
import { readShardKey, SHARD_KEY_BYTES, writeShardKey } from "./shard-key.ts";
import type { ShardPayload } from "./shard-service.ts";

/** Sent both ways; a peer that speaks another version is refused with EPROTO. */
export const WIRE_VERSION = "1";
export const WIRE_HEADER = "dfs-wire";
/** CRC-32 of each cell of the body, u32le, base64. */
export const CELL_CRCS_HEADER = "dfs-cell-crcs";

/** Paths of a node. `shard` paths take PUT, GET (Range) and HEAD; the others POST unless said. */
export const ROUTES = {
  shard: (id: ShardId) => `/shards/${formatShardId(id)}`,
  verify: (id: ShardId) => `/shards/${formatShardId(id)}/verify`,
  rebuild: (id: ShardId) => `/shards/${formatShardId(id)}/rebuild`,
  putMany: "/batch/put",
  getMany: "/batch/get",
  headMany: "/batch/head",
  deleteMany: "/batch/delete",
  sync: "/batch/sync",
  /** GET. */
  groups: "/groups",
  /** GET, `?cursor=`. */
  group: (pool: number, pg: number) => `/groups/${pool}/${pg}`,
  /** GET. */
  stats: "/stats",
} as const;

/** Size that headMany answers for a shard the node hasn't. */
export const UNKNOWN_SIZE = 0xffff_ffff;

const MAX_CELLS = cellCount(MAX_SHARD_BYTES);
const RECORD_HEAD_BYTES = SHARD_KEY_BYTES + 4;
/** Largest batch body: its shards, each with a key, a size and its checksums. */
export const MAX_BATCH_BODY_BYTES =
  MAX_BATCH_BYTES + MAX_BATCH_SHARDS * (RECORD_HEAD_BYTES + 4 * MAX_CELLS);

/** Refuses sizes no shard can have. @throws FsError EINVAL */
export function checkShardSize(sizeBytes: number): void {
  if (!Number.isInteger(sizeBytes) || sizeBytes <= 0 || sizeBytes > MAX_SHARD_BYTES) {
    throw new FsError("EINVAL", `a shard has 8 to ${MAX_SHARD_BYTES} bytes, not ${sizeBytes}`);
  }
  if (sizeBytes % 8 !== 0) {
    throw new FsError("EINVAL", `shard size ${sizeBytes} is not a multiple of 8`);
  }
}

/** Refuses a payload whose size or number of checksums cannot be. @throws FsError EINVAL */
export function checkPayload(payload: ShardPayload): void {
  checkShardSize(payload.bytes.length);
  if (payload.cellCrcs.length !== cellCount(payload.bytes.length)) {
    throw new FsError("EINVAL", "a shard needs one checksum a cell");
  }
}

export function encodeCellCrcs(crcs: Uint32Array): string {
  const bytes = Buffer.allocUnsafe(crcs.length * 4);
  writeCrcs(bytes, 0, crcs);
  return bytes.toString("base64");
}

/** @throws FsError EINVAL when `text` doesn't hold exactly `cells` checksums */
export function decodeCellCrcs(text: string | undefined, cells: number): Uint32Array {
  const bytes = Buffer.from(text ?? "", "base64");
  if (bytes.length !== cells * 4) {
    throw new FsError("EINVAL", `${CELL_CRCS_HEADER} must hold ${cells} checksums`);
  }
  return readCrcs(bytes, 0, cells);
}

function writeCrcs(target: Buffer, at: number, crcs: Uint32Array): number {
  for (const crc of crcs) at = target.writeUInt32LE(crc, at);
  return at;
}

function readCrcs(source: Buffer, at: number, cells: number): Uint32Array {
  const crcs = new Uint32Array(cells);
  for (let cell = 0; cell < cells; cell++) crcs[cell] = source.readUInt32LE(at + cell * 4);
  return crcs;
}

/** Body bytes that `payload` takes in a batch. */
export function batchRecordBytes(payload: ShardPayload): number {
  return RECORD_HEAD_BYTES + payload.cellCrcs.length * 4 + payload.bytes.length;
}

/** Body of a batch put: a record a shard of key, size, checksums, bytes. Copies the bytes once. */
export function encodePutBatch(shards: readonly { id: ShardId; payload: ShardPayload }[]): Buffer {
  const total = shards.reduce((sum, shard) => sum + batchRecordBytes(shard.payload), 0);
  const body = Buffer.allocUnsafe(total);
  let at = 0;
  for (const { id, payload } of shards) {
    at = writeShardKey(body, at, id);
    at = body.writeUInt32LE(payload.bytes.length, at);
    at = writeCrcs(body, at, payload.cellCrcs);
    body.set(payload.bytes, at);
    at += payload.bytes.length;
  }
  return body;
}

/** Inverse of encodePutBatch; the payloads' bytes are views of `body`. @throws FsError EINVAL */
export function decodePutBatch(body: Buffer): { id: ShardId; payload: ShardPayload }[] {
  const shards: { id: ShardId; payload: ShardPayload }[] = [];
  for (let at = 0; at < body.length;) {
    const id = readShardKey(body, at);
    at += SHARD_KEY_BYTES;
    const { payload, next } = readPayload(body, at);
    if (payload === undefined) throw new FsError("EINVAL", "a shard to put has no bytes");
    shards.push({ id, payload });
    at = next;
  }
  return shards;
}

/** Answer of a batch get: for each id asked a size (UNKNOWN_SIZE: not here), checksums, bytes. */
export function encodeGetBatch(payloads: readonly (ShardPayload | undefined)[]): Buffer[] {
  return payloads.flatMap((payload) => {
    const head = Buffer.allocUnsafe(4 + (payload?.cellCrcs.length ?? 0) * 4);
    head.writeUInt32LE(payload?.bytes.length ?? UNKNOWN_SIZE, 0);
    if (payload === undefined) return [head];
    writeCrcs(head, 4, payload.cellCrcs);
    return [
      head,
      Buffer.from(payload.bytes.buffer, payload.bytes.byteOffset, payload.bytes.length),
    ];
  });
}

/** Inverse of encodeGetBatch. @throws FsError EINVAL */
export function decodeGetBatch(body: Buffer, count: number): (ShardPayload | undefined)[] {
  const payloads: (ShardPayload | undefined)[] = [];
  let at = 0;
  while (payloads.length < count) {
    const { payload, next } = readPayload(body, at);
    payloads.push(payload);
    at = next;
  }
  return payloads;
}

function readPayload(
  body: Buffer,
  at: number,
): { payload: ShardPayload | undefined; next: number } {
  if (at + 4 > body.length) throw new FsError("EINVAL", "batch body is cut short");
  const sizeBytes = body.readUInt32LE(at);
  if (sizeBytes === UNKNOWN_SIZE) return { payload: undefined, next: at + 4 };
  checkShardSize(sizeBytes);
  const cells = cellCount(sizeBytes);
  const start = at + 4 + cells * 4;
  const next = start + sizeBytes;
  if (next > body.length) throw new FsError("EINVAL", "batch body is cut short");
  return {
    payload: { cellCrcs: readCrcs(body, at + 4, cells), bytes: body.subarray(start, next) },
    next,
  };
}
