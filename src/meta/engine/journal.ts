// The journal: what commits are acknowledged by. One file a generation, appended to by one write a
// group of commits; each record's checksum continues that of the one before, from file to file, so
// that only an unbroken beginning is ever replayed.
//
//   head    "DFSJ" version(1) 0 0 0 generation(8)
//   record  length(4) crc32(4) changes; the crc runs on from the record before, that of the first
//           from the head, and that of the head from the last record of the generation before
//   change  keyLength(2) valueLength(4, 0xffffffff: deleted) key value       all little-endian
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { FsError } from "../../domain/errno.ts";
import {
  syncDirectory,
  writeAll,
  writeAllSync,
  type Disk,
  type DiskFile,
} from "../../platform/disk/disk.ts";
import type { Changes } from "./layers.ts";

const MAGIC = "DFSJ";
const VERSION = 1;
const FILE_HEAD = 16;
const RECORD_HEAD = 8;
const CHANGE_HEAD = 6;
const DELETED = 0xffffffff;
const FILE_NAME = /^journal-([0-9]+)$/;

export class JournalFile {
  readonly generation: number;
  readonly #path: string;
  readonly #disk: Disk;
  readonly #file: DiskFile;
  readonly #head: Buffer;
  #crc: number;
  #buffer = Buffer.allocUnsafe(64 * 1024);
  /** Where the next change goes in #buffer. */
  #end = RECORD_HEAD;
  #writtenBytes = FILE_HEAD;
  #syncedBytes = 0;
  #syncing: Promise<void> | undefined;
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
    this.#head = head;
    this.#crc = crc32(head);
  }

  /** Begins a new file; its name is on disk when this resolves. */
  static async create(disk: Disk, directory: string, generation: number): Promise<JournalFile> {
    const path = journalPath(directory, generation);
    const head = Buffer.alloc(FILE_HEAD);
    head.write(MAGIC, "latin1");
    head[4] = VERSION;
    head.writeBigUInt64LE(BigInt(generation), 8);
    const file = await disk.open(path, "create", 0o600);
    try {
      await writeAll(file, head, 0);
      await syncDirectory(disk, directory);
    } catch (error) {
      await file.close();
      await disk.remove(path);
      throw error;
    }
    return new JournalFile({ disk, path, file, head }, generation);
  }

  /** Checksum of all that was committed, which the next generation continues. */
  get crc(): number {
    return this.#crc;
  }

  /** Before the first commit: `crc` is that of the generation before, 0 where that is settled. */
  follow(crc: number): void {
    this.#crc = crc32(this.#head, crc);
  }

  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** Adds changes to the record being made. */
  add(changes: Changes): void {
    for (const [key, value] of changes.entries()) {
      const valueLength = value === null ? 0 : value.length;
      this.#reserve(CHANGE_HEAD + key.length + valueLength);
      const buffer = this.#buffer;
      let at = this.#end;
      buffer.writeUInt16LE(key.length, at);
      buffer.writeUInt32LE(value === null ? DELETED : valueLength, at + 2);
      at += CHANGE_HEAD;
      buffer.write(key, at, "latin1");
      at += key.length;
      if (value !== null) buffer.set(value, at);
      this.#end = at + valueLength;
    }
  }

  /**
   * Writes the record, if it has changes: afterwards it survives the death of this process. Where
   * that fails nothing is written, and it may be tried again.
   */
  commit(): void {
    const length = this.#end;
    if (length === RECORD_HEAD) return;
    const buffer = this.#buffer;
    const crc = crc32(buffer.subarray(RECORD_HEAD, length), this.#crc);
    buffer.writeUInt32LE(length - RECORD_HEAD, 0);
    buffer.writeUInt32LE(crc, 4);
    writeFully(this.#file, buffer.subarray(0, length), this.#writtenBytes);
    this.#crc = crc;
    this.#end = RECORD_HEAD;
    this.#writtenBytes += length;
  }

  /** Resolves when all that was committed before is on disk. Callers at one time share a sync. */
  async sync(): Promise<void> {
    if (this.#syncedBytes >= this.#writtenBytes) return;
    if (this.#syncing === undefined) {
      await this.#startSync();
      return;
    }
    // What the sync under way covers was fixed before this call.
    const current = this.#syncing;
    this.#nextSync ??= current.then(() => this.#startSync());
    await this.#nextSync;
  }

  #startSync(): Promise<void> {
    const covered = this.#writtenBytes;
    this.#nextSync = undefined;
    this.#syncing = this.#file.datasync().then(
      () => {
        this.#syncedBytes = Math.max(this.#syncedBytes, covered);
        this.#syncing = undefined;
      },
      // After a failed fsync nobody knows what is on disk: the state stays "syncing", and failed.
      (error: unknown) => {
        throw new FsError("EIO", `cannot sync ${this.#path}`, { cause: error });
      },
    );
    return this.#syncing;
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

function journalPath(directory: string, generation: number): string {
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

export function removeJournal(disk: Disk, directory: string, generation: number): void {
  disk.removeSync(journalPath(directory, generation));
}

/**
 * Hands every change of the file's unbroken beginning to `apply`, in order. `follows` is the
 * checksum of the generation before.
 * @returns the file's checksum, undefined when it ends in something broken
 */
export function replayJournal(
  disk: Disk,
  directory: string,
  generation: number,
  follows: number,
  apply: (key: string, value: Uint8Array | null) => void,
): number | undefined {
  const file = disk.readWholeSync(journalPath(directory, generation));
  const head = file.subarray(0, FILE_HEAD);
  if (head.length < FILE_HEAD || head.toString("latin1", 0, 4) !== MAGIC) return undefined;
  if (head[4] !== VERSION) {
    throw new FsError("EIO", `journal ${generation} has version ${head[4] ?? 0}, unknown here`);
  }
  if (head.readBigUInt64LE(8) !== BigInt(generation)) return undefined;
  let crc = crc32(head, follows);
  let at = FILE_HEAD;
  while (at + RECORD_HEAD <= file.length) {
    const end = at + RECORD_HEAD + file.readUInt32LE(at);
    if (end > file.length) return undefined;
    const record = file.subarray(at + RECORD_HEAD, end);
    crc = crc32(record, crc);
    if (crc !== file.readUInt32LE(at + 4)) return undefined;
    replayRecord(record, apply);
    at = end;
  }
  return at === file.length ? crc : undefined;
}

function replayRecord(
  record: Buffer,
  apply: (key: string, value: Uint8Array | null) => void,
): void {
  for (let at = 0; at < record.length;) {
    const keyEnd = at + CHANGE_HEAD + record.readUInt16LE(at);
    const valueLength = record.readUInt32LE(at + 2);
    const key = record.toString("latin1", at + CHANGE_HEAD, keyEnd);
    const deleted = valueLength === DELETED;
    const end = deleted ? keyEnd : keyEnd + valueLength;
    apply(key, deleted ? null : record.subarray(keyEnd, end));
    at = end;
  }
}

function writeFully(file: DiskFile, bytes: Uint8Array, position: number): void {
  try {
    writeAllSync(file, bytes, position);
  } catch (error) {
    file.truncateSync(position);
    throw error;
  }
}
