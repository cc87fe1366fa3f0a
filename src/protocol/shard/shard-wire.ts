// How ShardService travels over HTTP: routes, headers and what may not be. Bodies of requests about
// many shards are keys as in shard-key.ts.
import { FsError } from "../../domain/errno.ts";
import { formatShardId, type ShardId } from "../../domain/ids.ts";
import { cellCount } from "../../domain/layout.ts";
import { MAX_SHARD_BYTES } from "../../domain/format.ts";
import type { ShardPayload, ShardVerdict } from "./shard-service.ts";

/** Sent both ways; a peer that speaks another version is refused with EPROTO. */
export const WIRE_VERSION = "2";
export const WIRE_HEADER = "dfs-wire";
/** Sealed checksum of each cell of the body, u32le, base64. */
export const CELL_CRCS_HEADER = "dfs-cell-crcs";

/** Paths of a node. `shard` paths take PUT, GET (Range) and HEAD; the others POST unless said. */
export const ROUTES = {
  shard: (id: ShardId) => `/shards/${formatShardId(id)}`,
  rebuild: (id: ShardId) => `/shards/${formatShardId(id)}/rebuild`,
  headMany: "/batch/head",
  deleteMany: "/batch/delete",
  park: "/batch/park",
  unpark: "/batch/unpark",
  /** `?depth=`, a SecureDepth. */
  secure: "/batch/secure",
  /** GET. */
  groups: "/groups",
  /** GET, `?cursor=`. */
  group: (pool: number, pg: number) => `/groups/${pool}/${pg}`,
  /** GET. */
  stats: "/stats",
} as const;

/** Size that headMany answers for a shard the node hasn't. */
export const UNKNOWN_SIZE = 0xffff_ffff;

/** A byte each in the answer of `secure`. */
const VERDICTS: readonly ShardVerdict[] = ["missing", "secure", "spoilt"];

export function encodeVerdicts(verdicts: readonly ShardVerdict[]): Buffer {
  return Buffer.from(verdicts.map((verdict) => VERDICTS.indexOf(verdict)));
}

/** @throws FsError EPROTO when they aren't `count` verdicts */
export function decodeVerdicts(body: Buffer, count: number): ShardVerdict[] {
  const verdicts = [...body].map((byte) => VERDICTS[byte]).filter((known) => known !== undefined);
  if (body.length === count && verdicts.length === count) return verdicts;
  throw new FsError("EPROTO", `storage node's answer does not hold ${count} verdicts`);
}

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
  let at = 0;
  for (const crc of crcs) at = bytes.writeUInt32LE(crc, at);
  return bytes.toString("base64");
}

/** @throws FsError EINVAL when `text` doesn't hold exactly `cells` checksums */
export function decodeCellCrcs(text: string | undefined, cells: number): Uint32Array {
  const bytes = Buffer.from(text ?? "", "base64");
  if (bytes.length !== cells * 4) {
    throw new FsError("EINVAL", `${CELL_CRCS_HEADER} must hold ${cells} checksums`);
  }
  const crcs = new Uint32Array(cells);
  for (let cell = 0; cell < cells; cell++) crcs[cell] = bytes.readUInt32LE(cell * 4);
  return crcs;
}
