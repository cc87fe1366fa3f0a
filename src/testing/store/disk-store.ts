// An OrderedStore on a MemoryDisk, so that a power cut, a full disk and a copied directory reach it
// as they reach files. Its file is a log of the transactions, read back when it is opened; each one
// is whole or not there, and after a cut those that are left are the first ones, as with lmdb.
//
//   record  length(4) crc32(4) changes
//   change  table(1, length before) key(2) value(4, 0xffffffff: removed)     all little-endian
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { FsError } from "../../domain/errno.ts";
import { writeAll, type DiskFile } from "../../platform/disk/disk.ts";
import type {
  OpenStore,
  OrderedStore,
  StoreBatch,
  StoreOptions,
  StoreTable,
} from "../../platform/store/ordered-store.ts";
import type { MemoryDisk } from "../disk/memory-disk.ts";
import { keyText, MemoryTable, ownTable } from "./memory-table.ts";

const FILE = "data.mdb";
const HEAD_BYTES = 8;
const REMOVED = 0xffffffff;

interface Change {
  readonly table: string;
  readonly key: Buffer;
  readonly value: Buffer | undefined;
}

class DiskStore implements OrderedStore {
  readonly #options: StoreOptions;
  readonly #file: DiskFile;
  readonly #tables = new Map<string, MemoryTable>();
  #endBytes: number;
  /** The last write; each waits for the one before. */
  #last: Promise<void> = Promise.resolve();
  #flushing: Promise<void> | undefined;
  broken: FsError | undefined;

  constructor(disk: MemoryDisk, options: StoreOptions) {
    const { directory } = options;
    const path = join(directory, FILE);
    this.#options = options;
    disk.makeDirectorySync(directory);
    if (disk.factsSync(path) === undefined) {
      this.#file = disk.openSync(path, "create");
      disk.persist(path);
    } else {
      this.#file = disk.reopenSync(path);
    }
    this.#endBytes = this.#replay(disk.readWholeSync(path));
    this.#file.truncateSync(this.#endBytes);
  }

  table(name: string): MemoryTable {
    const table = this.#tables.get(name) ?? new MemoryTable(name);
    this.#tables.set(name, table);
    return table;
  }

  write(fill: (batch: StoreBatch) => void): Promise<void> {
    if (this.broken !== undefined) return Promise.reject(this.broken);
    const changes: Change[] = [];
    const change = (table: StoreTable, key: Uint8Array, value: Uint8Array | undefined): void => {
      const { name } = ownTable(table);
      changes.push({ table: name, key: Buffer.from(key), value: value && Buffer.from(value) });
    };
    fill({ put: change, remove: (table, key) => change(table, key, undefined) });
    const written = this.#last.then(() => this.#commit(changes));
    this.#last = written.catch(() => undefined);
    return written;
  }

  async sync(): Promise<void> {
    if (this.broken !== undefined) throw this.broken;
    await this.#last;
    // One that is under way may have begun before the last write.
    await this.#flushing?.catch(() => undefined);
    await this.#flush();
  }

  reusableBytes(): number {
    return 0;
  }

  otherUsers(): string[] {
    return [];
  }

  async close(): Promise<void> {
    await this.sync();
    await this.#file.close();
  }

  async #commit(changes: readonly Change[]): Promise<void> {
    if (changes.length === 0) return;
    const record = encode(changes);
    try {
      await writeAll(this.#file, record, this.#endBytes);
      if (this.#options.syncEachCommit) await this.#file.datasync();
    } catch (error) {
      this.#file.truncateSync(this.#endBytes);
      throw this.#failure(error);
    }
    this.#endBytes += record.length;
    this.#apply(changes);
    // lmdb's overlapping sync: soon after, and nobody waits for it who doesn't ask.
    if (!this.#options.syncEachCommit) this.sync().catch(() => undefined);
  }

  #flush(): Promise<void> {
    this.#flushing ??= this.#file
      .datasync()
      .catch((error: unknown) => {
        throw (this.broken ??= this.#failure(error));
      })
      .finally(() => {
        this.#flushing = undefined;
      });
    return this.#flushing;
  }

  #apply(changes: Iterable<Change>): void {
    for (const { table, key, value } of changes) {
      if (value === undefined) this.table(table).remove(keyText(key));
      else this.table(table).put(keyText(key), value);
    }
  }

  /** @returns where the unbroken beginning ends */
  #replay(log: Buffer): number {
    let at = 0;
    while (at + HEAD_BYTES <= log.length) {
      const end = at + HEAD_BYTES + log.readUInt32LE(at);
      if (end > log.length || end === at + HEAD_BYTES) break;
      const body = log.subarray(at + HEAD_BYTES, end);
      if (crc32(body) !== log.readUInt32LE(at + 4)) break;
      this.#apply(decode(body));
      at = end;
    }
    return at;
  }

  #failure(cause: unknown): FsError {
    const { what } = this.#options;
    return (cause as NodeJS.ErrnoException).code === "ENOSPC"
      ? new FsError("ENOSPC", `the disk of ${what} is full`, { cause })
      : new FsError("EIO", `${what} cannot be written; is its disk full?`, { cause });
  }
}

function encode(changes: readonly Change[]): Buffer {
  const parts: Buffer[] = [Buffer.alloc(HEAD_BYTES)];
  for (const { table, key, value } of changes) {
    const head = Buffer.alloc(7);
    head.writeUInt8(table.length, 0);
    head.writeUInt16LE(key.length, 1);
    head.writeUInt32LE(value === undefined ? REMOVED : value.length, 3);
    parts.push(head, Buffer.from(table, "latin1"), key, value ?? Buffer.alloc(0));
  }
  const record = Buffer.concat(parts);
  record.writeUInt32LE(record.length - HEAD_BYTES, 0);
  record.writeUInt32LE(crc32(record.subarray(HEAD_BYTES)), 4);
  return record;
}

function* decode(body: Buffer): Generator<Change> {
  for (let at = 0; at < body.length;) {
    const valueLength = body.readUInt32LE(at + 3);
    const tableEnd = at + 7 + body.readUInt8(at);
    const keyEnd = tableEnd + body.readUInt16LE(at + 1);
    const table = body.toString("latin1", at + 7, tableEnd);
    const key = body.subarray(tableEnd, keyEnd);
    at = valueLength === REMOVED ? keyEnd : keyEnd + valueLength;
    yield { table, key, value: valueLength === REMOVED ? undefined : body.subarray(keyEnd, at) };
  }
}

/** @param disk as the process sees it that opens the store */
export function storesOn(disk: MemoryDisk): OpenStore {
  return (options) => new DiskStore(disk, options);
}
