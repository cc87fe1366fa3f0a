// One run of cells of a stored shard, open for reading piece by piece into the reader's buffers.
import { FsError } from "../../domain/errno.ts";
import { formatShardId, type ShardId } from "../../domain/ids.ts";
import { CELL_BYTES } from "../../domain/format.ts";
import type { DiskFile } from "../../platform/disk/disk.ts";
import type { DiskLane } from "../disk/disk-lane.ts";
import { fileError, type ShardFiles } from "./shard-files.ts";
import type { ShardRecord } from "./shard-record.ts";

export class ShardReading {
  readonly id: ShardId;
  readonly record: ShardRecord;
  /** Of the whole shard. */
  readonly sizeBytes: number;
  readonly offsetBytes: number;
  /** Of the run. */
  readonly lengthBytes: number;
  /** Of the run's cells, as the writer computed them. */
  readonly cellCrcs: Uint32Array;
  /** The whole shard, when it is a small one. */
  readonly packedBytes: Buffer | undefined;
  readonly #lane: DiskLane;
  #file: DiskFile | undefined;

  /** @throws FsError ENOENT when the shard's file is gone */
  constructor(
    id: ShardId,
    record: ShardRecord,
    range: { offsetBytes: number; lengthBytes: number },
    packedBytes: Buffer | undefined,
    disk: { files: ShardFiles; lane: DiskLane },
  ) {
    this.id = id;
    this.record = record;
    this.sizeBytes = record.sizeBytes;
    this.offsetBytes = range.offsetBytes;
    this.lengthBytes = range.lengthBytes;
    const firstCell = range.offsetBytes / CELL_BYTES;
    const endCell = Math.ceil((range.offsetBytes + range.lengthBytes) / CELL_BYTES);
    this.cellCrcs = record.cellCrcs.subarray(firstCell, endCell);
    this.packedBytes = packedBytes;
    this.#lane = disk.lane;
    if (!record.packed) this.#file = disk.files.openForReading(id);
  }

  /**
   * Fills `target` with the run's bytes from `at` on; await what it returns, if anything.
   * @throws FsError EBADMSG when the shard is shorter than it should be; EIO
   */
  readInto(target: Uint8Array, at: number): void | Promise<void> {
    const position = this.offsetBytes + at;
    if (this.#file === undefined) {
      const bytes = this.packedBytes?.subarray(position, position + target.length);
      this.#require(bytes?.length ?? 0, target.length);
      if (bytes !== undefined) target.set(bytes);
      return;
    }
    try {
      const got = this.#lane.read(this.#file, target, position);
      if (typeof got === "number") {
        this.#require(got, target.length);
        return;
      }
      return got.then(
        (read) => this.#require(read, target.length),
        (error: unknown) => {
          throw fileError(error, this.id);
        },
      );
    } catch (error) {
      throw fileError(error, this.id);
    }
  }

  close(): void {
    this.#file?.closeSync();
    this.#file = undefined;
  }

  #require(gotBytes: number, wantedBytes: number): void {
    if (gotBytes === wantedBytes) return;
    throw new FsError("EBADMSG", `shard ${formatShardId(this.id)} is cut short on disk`);
  }
}
