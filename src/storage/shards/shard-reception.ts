// One shard on its way in: bytes are written where they go as they arrive and checked cell by cell,
// in no buffer of our own but for the small shards that LMDB will hold.
import { crc32 } from "node:zlib";
import { FsError } from "../../domain/errno.ts";
import { formatShardId, type ShardId } from "../../domain/ids.ts";
import { cellCount } from "../../domain/layout.ts";
import { CELL_BYTES } from "../../domain/format.ts";
import { MAX_PACKED_SHARD_BYTES } from "../../protocol/shard/limits.ts";
import type { DiskFile } from "../../platform/disk/disk.ts";
import type { DiskLane } from "../disk/disk-lane.ts";
import { fileError, type ShardFiles } from "./shard-files.ts";

/** What has arrived whole and may be kept. */
export interface ReceivedShard {
  /** A reception computes plain ones; whoever keeps the shard seals them. */
  cellCrcs: Uint32Array;
  /** Of a small shard; a larger one is a file, which `accept` gives its place. */
  packedBytes?: Buffer;
}

export class ShardReception {
  readonly id: ShardId;
  readonly sizeBytes: number;
  readonly #files: ShardFiles;
  readonly #lane: DiskLane;
  /**
   * What the sender says the checksums are, not sealed; undefined where nobody knows better (a
   * rebuild).
   */
  readonly #expectedCrcs: Uint32Array | undefined;
  readonly #cellCrcs: Uint32Array;
  #receivedBytes = 0;
  #packedBytes: Buffer | undefined;
  #incoming: { file: DiskFile; path: string } | undefined;

  /** @throws FsError ENOSPC, EIO when no file can be made */
  constructor(
    id: ShardId,
    sizeBytes: number,
    expectedCrcs: Uint32Array | undefined,
    disk: { files: ShardFiles; lane: DiskLane },
  ) {
    this.id = id;
    this.sizeBytes = sizeBytes;
    this.#files = disk.files;
    this.#lane = disk.lane;
    this.#expectedCrcs = expectedCrcs;
    this.#cellCrcs = new Uint32Array(cellCount(sizeBytes));
    if (sizeBytes <= MAX_PACKED_SHARD_BYTES) {
      this.#packedBytes = Buffer.allocUnsafe(sizeBytes);
      return;
    }
    try {
      this.#incoming = this.#files.openIncoming();
    } catch (error) {
      throw fileError(error, id);
    }
  }

  /**
   * Takes the next bytes; await what it returns, if anything, before the next call.
   * @throws FsError EBADMSG a cell doesn't match; EINVAL more bytes than announced; ENOSPC; EIO
   */
  write(bytes: Uint8Array): void | Promise<void> {
    const start = this.#receivedBytes;
    if (start + bytes.length > this.sizeBytes) {
      throw new FsError("EINVAL", `shard ${formatShardId(this.id)} is longer than announced`);
    }
    this.#check(bytes);
    this.#receivedBytes += bytes.length;
    if (this.#packedBytes !== undefined) {
      this.#packedBytes.set(bytes, start);
      return;
    }
    if (this.#incoming === undefined) throw new FsError("EIO", "the reception has ended");
    try {
      const writing = this.#lane.write(this.#incoming.file, bytes, start);
      return writing?.catch((error: unknown) => {
        throw fileError(error, this.id);
      });
    } catch (error) {
      throw fileError(error, this.id);
    }
  }

  /** All bytes have come. @throws FsError EINVAL when they haven't */
  finish(): ReceivedShard {
    if (this.#receivedBytes !== this.sizeBytes) {
      throw new FsError("EINVAL", `shard ${formatShardId(this.id)} is shorter than announced`);
    }
    const cellCrcs = this.#cellCrcs;
    return this.#packedBytes === undefined
      ? { cellCrcs }
      : { cellCrcs, packedBytes: this.#packedBytes };
  }

  /** Gives the file its place among the shards. */
  accept(): void {
    const path = this.#closeFile();
    if (path === undefined) throw new FsError("EIO", "the reception has ended");
    try {
      this.#files.accept(path, this.id);
    } catch (error) {
      this.#files.discard(path);
      throw fileError(error, this.id);
    }
  }

  /** Drops what has come; nothing happens after `accept`. */
  abort(): void {
    const path = this.#closeFile();
    if (path !== undefined) this.#files.discard(path);
  }

  #closeFile(): string | undefined {
    const incoming = this.#incoming;
    if (incoming === undefined) return undefined;
    this.#incoming = undefined;
    incoming.file.closeSync();
    return incoming.path;
  }

  /** Carries the checksums over `bytes` and compares each cell that they complete. */
  #check(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const position = this.#receivedBytes + at;
      const cell = Math.floor(position / CELL_BYTES);
      const cellEnd = Math.min((cell + 1) * CELL_BYTES, this.sizeBytes);
      const length = Math.min(bytes.length - at, cellEnd - position);
      const crc = crc32(bytes.subarray(at, at + length), this.#cellCrcs[cell] ?? 0);
      this.#cellCrcs[cell] = crc;
      at += length;
      const complete = position + length === cellEnd;
      if (complete && this.#expectedCrcs !== undefined && this.#expectedCrcs[cell] !== crc) {
        const name = formatShardId(this.id);
        throw new FsError("EBADMSG", `cell ${cell} of shard ${name} doesn't match its checksum`);
      }
    }
  }
}
