// OrderedStore on lmdb; native-notes/lmdb.md tells why it is opened and written this way.
import { open, type Database, type RangeOptions, type RootDatabase } from "lmdb";
import { FsError } from "../../domain/errno.ts";
import { invariant, passViolation } from "../../domain/invariant.ts";
import { requireLmdbFile, requireRoom } from "./lmdb-file.ts";
import type {
  OrderedStore,
  StoreBatch,
  StoreEntry,
  StoreOptions,
  StoreRange,
  StoreTable,
} from "./ordered-store.ts";

type Bytes = Database<Uint8Array, Uint8Array>;

/** lmdb's name for "the bytes are the key". */
const BINARY = { encoding: "binary", keyEncoding: "binary" } as const;
/** More than either store has. */
const MAX_TABLES = 8;
/** ENOSPC as lmdb tells it. */
const NO_SPACE = 28;
const NO_KEY = Buffer.alloc(1);

/** What getStats says of each tree. */
interface TreeStats {
  pageSize: number;
  treeBranchPageCount: number;
  treeLeafPageCount: number;
  overflowPages: number;
}

interface SyncableStore {
  sync(callback: (error?: Error) => void): void;
}

/** What it says of one table's tree, and of the whole file. */
interface StoreStats extends TreeStats {
  root: TreeStats;
  free: TreeStats;
  lastPageNumber: number;
}

class LmdbTable implements StoreTable {
  readonly database: Bytes;

  constructor(database: Bytes) {
    this.database = database;
  }

  get(key: Uint8Array): Buffer | undefined {
    return this.database.getBinary(key);
  }

  peek(key: Uint8Array): Buffer | undefined {
    return this.database.getBinaryFast(key);
  }

  range(range: StoreRange): Iterable<StoreEntry> {
    // Keys and values of a binary database are Buffers.
    return this.database.getRange(lmdbRange(range)) as Iterable<StoreEntry>;
  }

  keys(range: StoreRange): Iterable<Buffer> {
    return this.database.getKeys(lmdbRange(range)) as Iterable<Buffer>; // as above
  }
}

/** lmdb's start is where the iteration begins, whichever way it goes. */
function lmdbRange({ start, end, exclusiveStart = false, limit, reverse }: StoreRange) {
  const bounded = limit === undefined ? {} : { limit };
  const upTo = end === undefined ? {} : { end };
  if (reverse !== true) return { start, exclusiveStart, ...upTo, ...bounded };
  const from = end === undefined ? {} : { start: end, exclusiveStart: true };
  const backward: RangeOptions = { end: start, inclusiveEnd: !exclusiveStart, reverse: true };
  return { ...from, ...backward, ...bounded };
}

function databaseOf(table: StoreTable): Bytes {
  invariant(table instanceof LmdbTable, "a store takes its own tables");
  return table.database;
}

const BATCH: StoreBatch = {
  // The batch's own promise tells of a failure; these share it, or follow it.
  put(table, key, value) {
    void databaseOf(table).put(key, value);
  },
  remove(table, key) {
    void databaseOf(table).remove(key);
  },
};

class LmdbOrderedStore implements OrderedStore {
  readonly #root: RootDatabase<Uint8Array, Uint8Array>;
  readonly #tables = new Map<string, LmdbTable>();
  readonly #options: StoreOptions;
  /** The last transaction that was committed and flushed, its low 32 bits. */
  #flushedTxn = 0;
  #broken: FsError | undefined;

  constructor(options: StoreOptions) {
    const { directory, syncEachCommit, mapBytes } = options;
    this.#options = options;
    requireRoom(directory, options.what);
    requireLmdbFile(directory, options.what);
    this.#root = open<Uint8Array, Uint8Array>({
      path: directory,
      noSubdir: false,
      maxDbs: MAX_TABLES,
      ...(syncEachCommit ? { overlappingSync: false } : {}),
      // Batching by event turn makes promises of its own whose rejection nobody can handle: a
      // failed commit would end the process. Explicit batches give the one promise that tells.
      eventTurnBatching: false,
      ...(mapBytes === undefined ? {} : { mapSize: mapBytes }),
      ...BINARY,
    });
    this.#root.on("aftercommit", ({ txnId }: { txnId?: number }) => {
      if (txnId !== undefined) this.#flushedTxn = txnId;
    });
  }

  get broken(): FsError | undefined {
    return this.#broken;
  }

  table(name: string): StoreTable {
    const known = this.#tables.get(name);
    if (known !== undefined) return known;
    const table = new LmdbTable(this.#root.openDB<Uint8Array, Uint8Array>({ name, ...BINARY }));
    this.#tables.set(name, table);
    // Making a table is a transaction, of which no event tells.
    this.#flushedTxn = this.#lastTxn();
    return table;
  }

  async write(fill: (batch: StoreBatch) => void): Promise<void> {
    if (this.#broken !== undefined) throw this.#broken;
    try {
      await this.#root.batch(() => fill(BATCH));
    } catch (error) {
      passViolation(error);
      throw await this.#commitFailure(error);
    }
    // Reads of this turn must not go on with a snapshot from before.
    this.#root.resetReadTxn();
  }

  async sync(): Promise<void> {
    if (this.#broken !== undefined) throw this.#broken;
    // Not `flushed`: after a commit that failed it waits for one that doesn't.
    const root = this.#root as unknown as SyncableStore; // lmdb's types leave it out
    const error = await new Promise<Error | undefined>((resolve) => root.sync(resolve));
    if (error instanceof Error) throw this.#break(error);
  }

  reusableBytes(): number {
    const trees = [...this.#tables.values()].map(
      ({ database }) => database.getStats() as StoreStats, // lmdb's types leave it open
    );
    const [one] = trees;
    if (one === undefined) return 0;
    const used = [...trees, one.root, one.free].reduce(
      (sum, tree) => sum + tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages,
      0,
    );
    return Math.max(0, one.lastPageNumber + 1 - used) * one.pageSize;
  }

  otherUsers(): string[] {
    // A read makes this process one of the readers that lmdb lists; their locks die with them.
    this.#root.getBinary(NO_KEY);
    const readers = this.#root.readerList().trim().split("\n").slice(1);
    if (readers.length <= 1) return [];
    const pids = readers.map((line) => line.trim().split(/\s+/)[0] ?? "");
    return pids.filter((pid) => pid !== String(process.pid));
  }

  async close(): Promise<void> {
    try {
      if (!this.#options.syncEachCommit) await this.sync();
    } finally {
      await this.#root.close();
    }
  }

  #lastTxn(): number {
    // lmdb's types leave it open.
    return (this.#root.getStats() as { lastTxnId: number }).lastTxnId >>> 0;
  }

  #break(cause: unknown): FsError {
    const { what } = this.#options;
    const message = `${what} could not be flushed: what it was told last may be lost`;
    this.#broken ??= new FsError("EIO", message, { cause });
    return this.#broken;
  }

  /** lmdb hangs the reason on its error as a promise that is rejected with it. */
  async #commitFailure(error: unknown): Promise<FsError> {
    // It keeps another of its own for the commit, whose rejection nobody else handles.
    void this.#root.committed.then(undefined, () => undefined);
    const { commitError } = error as { commitError?: Promise<never> };
    const reason: unknown = await Promise.resolve(commitError).catch((why: unknown) => why);
    const cause = reason ?? error;
    const { what, syncEachCommit } = this.#options;
    // It was committed, and then its flush failed: the next one may seem to succeed.
    if (!syncEachCommit && this.#lastTxn() !== this.#flushedTxn) return this.#break(cause);
    // A short write to a full disk is told as EIO.
    return (cause as { code?: unknown }).code === NO_SPACE
      ? new FsError("ENOSPC", `the disk of ${what} is full`, { cause })
      : new FsError("EIO", `${what} cannot be written; is its disk full?`, { cause });
  }
}

/** @throws FsError EIO its file is damaged, ENOSPC no room; what lmdb says when it can't be used */
export function openLmdbStore(options: StoreOptions): OrderedStore {
  return new LmdbOrderedStore(options);
}
