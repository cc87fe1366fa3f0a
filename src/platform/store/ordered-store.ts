// An ordered key-value store on disk: what the metadata server's database and a node's index stand
// on. Named tables of bytes by bytes, in unsigned byte order of the keys.
import type { FsError } from "../../domain/errno.ts";

export interface StoreRange {
  readonly start: Uint8Array;
  /** `start` itself is left out. */
  readonly exclusiveStart?: boolean;
  /** The first key behind the range; to the table's end unless said. */
  readonly end?: Uint8Array;
  readonly limit?: number;
  /** From the last key of the range to the first. */
  readonly reverse?: boolean;
}

export interface StoreEntry {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** Reads see all that `write` has resolved for. */
export interface StoreTable {
  /** A copy of its own. */
  get(key: Uint8Array): Buffer | undefined;
  /**
   * As `get` without a copy: the bytes are good until the next read of whatever table. The Buffer
   * may be a longer one that says another length: use `length` and what reads at an offset.
   */
  peek(key: Uint8Array): Buffer | undefined;
  range(range: StoreRange): Iterable<StoreEntry>;
  keys(range: StoreRange): Iterable<Buffer>;
}

/** Changes of one transaction. Neither keys nor values may change before it is committed. */
export interface StoreBatch {
  put(table: StoreTable, key: Uint8Array, value: Uint8Array): void;
  /** A key that isn't there is no error. */
  remove(table: StoreTable, key: Uint8Array): void;
}

/** One process at a time may have a store open; callers see to that. */
export interface OrderedStore {
  /** The table of this name, made when missing. */
  table(name: string): StoreTable;
  /**
   * Commits what `fill` puts and removes, all or nothing; a kill of the process can't undo it when
   * it resolves. Transactions are committed in the order they were begun in.
   * @throws FsError ENOSPC, EIO: nothing of it was done, unless the store is broken
   */
  write(fill: (batch: StoreBatch) => void): Promise<void>;
  /** Resolves when all that was committed before is on disk. @throws FsError the store is broken */
  sync(): Promise<void>;
  /**
   * Set for ever when a flush has failed: what was committed may be lost, and nothing that the
   * store has or says from then on is to be believed.
   */
  readonly broken: FsError | undefined;
  /** Bytes of the store's file that are free inside, and written to before the file grows. */
  reusableBytes(): number;
  /** Ids of other processes that have the store open. */
  otherUsers(): string[];
  close(): Promise<void>;
}

export interface StoreOptions {
  readonly directory: string;
  /** What it is called in errors. */
  readonly what: string;
  /** A commit is on disk when `write` resolves; else soon after, and `sync` waits for it. */
  readonly syncEachCommit: boolean;
  /** Address space set aside, where it would be costly to map the file anew as it grows. */
  readonly mapBytes?: number;
}

export type OpenStore = (options: StoreOptions) => OrderedStore;
