// A file of the journal: what commits are acknowledged by. One file a generation, appended to by
// one write a group of commits; journal-records.ts has the format. Behind its records a file has
// room, zeroes that are on disk, so that a flush has only bytes to write, and no new size.
import { join } from "node:path";
import { FsError } from "../../domain/errno.ts";
import {
  syncDirectory,
  writeAll,
  writeAllSync,
  type Disk,
  type DiskFile,
} from "../../platform/disk/disk.ts";
import {
  changeBytes,
  encodeHead,
  FILE_HEAD,
  RECORD_HEAD,
  sealRecord,
  seedOf,
  writeChange,
} from "./journal-records.ts";
import type { Changes } from "./layers.ts";
import { MAX_JOURNAL_ROOM_BYTES, MIN_JOURNAL_ROOM_BYTES } from "./limits.ts";

const FILE_NAME = /^journal-([0-9]+)$/;

export class JournalFile {
  readonly generation: number;
  readonly #path: string;
  readonly #disk: Disk;
  readonly #file: DiskFile;
  readonly #seed: number;
  #crc = 0;
  #position = 0;
  #buffer = Buffer.allocUnsafe(64 * 1024);
  /** Where the next change goes in #buffer. */
  #end = RECORD_HEAD;
  #writtenBytes = FILE_HEAD;
  /** Where the file ends. */
  #roomEnd = FILE_HEAD;
  #syncedBytes = FILE_HEAD;
  #syncedPosition = 0;
  #syncing: Promise<void> | undefined;
  /** Up to here it will be on disk by the sync under way. */
  #syncingBytes = 0;
  /** The sync that begins when the one under way is over. */
  #nextSync: Promise<void> | undefined;

  private constructor(
    parts: { disk: Disk; path: string; file: DiskFile; head: Buffer },
    generation: number,
  ) {
    const { disk, path, file, head } = parts;
    this.#disk = disk;
    this.#path = path;
    this.generation = generation;
    this.#file = file;
    this.#seed = seedOf(head);
  }

  /** Begins a new file; it is on disk when this resolves. */
  static async create(
    disk: Disk,
    directory: string,
    storeId: string,
    generation: number,
  ): Promise<JournalFile> {
    const path = journalPath(directory, generation);
    const head = encodeHead(storeId, generation);
    const file = await disk.open(path, "create", 0o600);
    try {
      await writeAll(file, head, 0);
      await file.datasync();
      await syncDirectory(disk, directory);
    } catch (error) {
      await file.close();
      await disk.remove(path);
      throw error;
    }
    return new JournalFile({ disk, path, file, head }, generation);
  }

  /** Checksum of the last record, which the next one continues, in the next file too. */
  get crc(): number {
    return this.#crc;
  }

  /** The engine's, with all that was committed here. */
  get position(): number {
    return this.#position;
  }

  /** Up to here all that was committed here is on disk. */
  get syncedPosition(): number {
    return this.#syncedPosition;
  }

  /** Before the first commit: how far the generation before has come; crc 0 if that is settled. */
  follow(crc: number, position: number): void {
    this.#crc = crc;
    this.#position = position;
    this.#syncedPosition = position;
  }

  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** Adds changes to the record being made. */
  add(changes: Changes): void {
    for (const [key, value] of changes.entries()) {
      this.#reserve(changeBytes(key, value));
      this.#end = writeChange(this.#buffer, this.#end, key, value);
    }
  }

  /**
   * Writes the record, if it has changes: afterwards it survives the death of this process. Where
   * that fails nothing is written, and it may be tried again. `position` is the engine's with these
   * changes, `durable` the one up to which all is on disk.
   */
  commit(position: number, durable: number): void {
    const end = this.#end;
    if (end === RECORD_HEAD) return;
    const facts = { previous: this.#crc, position, durable };
    const crc = sealRecord(this.#buffer, end, this.#seed, facts);
    this.#write(this.#buffer.subarray(0, end), this.#writtenBytes);
    this.#crc = crc;
    this.#position = position;
    this.#end = RECORD_HEAD;
    this.#writtenBytes += end;
  }

  /** Resolves when all that was committed before is on disk. Callers at one time share a sync. */
  async sync(): Promise<void> {
    if (this.#syncedBytes >= this.#writtenBytes) return;
    if (this.#syncing === undefined) {
      await this.#startSync();
      return;
    }
    const current = this.#syncing;
    if (this.#syncingBytes < this.#writtenBytes) {
      // What the sync under way covers was fixed before the last commit.
      this.#nextSync ??= current.then(() => this.#startSync());
      await this.#nextSync;
    } else await current;
  }

  #startSync(): Promise<void> {
    const coveredBytes = this.#writtenBytes;
    const coveredPosition = this.#position;
    this.#nextSync = undefined;
    this.#syncingBytes = coveredBytes;
    this.#syncing = this.#datasync().then(
      () => {
        this.#syncedBytes = Math.max(this.#syncedBytes, coveredBytes);
        this.#syncedPosition = Math.max(this.#syncedPosition, coveredPosition);
        this.#syncing = undefined;
      },
      // After a failed fsync nobody knows what is on disk: the state stays "syncing", and failed.
      (error: unknown) => {
        throw new FsError("EIO", `cannot sync ${this.#path}`, { cause: error });
      },
    );
    return this.#syncing;
  }

  async #datasync(): Promise<void> {
    this.#makeRoom();
    await this.#file.datasync();
  }

  /** For the next commits, on disk with the last ones; a young file gets little. */
  #makeRoom(): void {
    const { max, min } = Math;
    const bytes = min(MAX_JOURNAL_ROOM_BYTES, max(MIN_JOURNAL_ROOM_BYTES, this.#writtenBytes));
    const flushed = this.#writtenBytes - this.#syncedBytes;
    // Enough is left, or it would last for few flushes like this one.
    if (this.#roomEnd - this.#writtenBytes >= bytes / 4 || flushed > bytes / 4) return;
    try {
      this.#write(Buffer.alloc(bytes), this.#roomEnd);
    } catch (error) {
      // Commits are tried without.
      if (!isDiskFull(error)) throw error;
    }
  }

  /** Where it fails nothing is written. */
  #write(bytes: Uint8Array, position: number): void {
    try {
      writeAllSync(this.#file, bytes, position);
      this.#roomEnd = Math.max(this.#roomEnd, position + bytes.length);
    } catch (error) {
      this.#file.truncateSync(position);
      this.#roomEnd = position;
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async remove(): Promise<void> {
    await this.#file.close();
    await this.#disk.remove(this.#path);
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#end + bytes));
    larger.set(this.#buffer.subarray(0, this.#end));
    this.#buffer = larger;
  }
}

export function journalPath(directory: string, generation: number): string {
  return join(directory, `journal-${generation}`);
}

/** Generations of which there is a journal file, ascending. */
export function journalGenerations(disk: Disk, directory: string): number[] {
  return disk
    .listSync(directory)
    .map((name) => FILE_NAME.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .sort((left, right) => left - right);
}

export function isDiskFull(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOSPC" || code === "EDQUOT";
}
