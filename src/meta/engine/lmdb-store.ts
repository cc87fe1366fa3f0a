// The lmdb database below the engine. It is written in the background only, by lmdb's own thread,
// in lmdb's most conservative mode: each commit is on disk before it is acknowledged.
import { open, type Database, type RootDatabase } from "lmdb";
import { FsError } from "../../domain/errno.ts";
import { METADATA_MAP_BYTES } from "./limits.ts";
import type { Key, RangeOptions } from "./engine.ts";
import type { Entry, Layer } from "./layers.ts";

type Bytes = Database<Uint8Array, Uint8Array>;

const APPLIED_KEY = Buffer.from("applied");
/** What getStats says of each tree. */
interface TreeStats {
  pageSize: number;
  treeBranchPageCount: number;
  treeLeafPageCount: number;
  overflowPages: number;
}

/** What it says of one database's tree, and of the whole file. */
interface StoreStats extends TreeStats {
  root: TreeStats;
  free: TreeStats;
  lastPageNumber: number;
}

/** lmdb's name for "the bytes are the key". */
const BINARY = { encoding: "binary", keyEncoding: "binary" } as const;

/** A journal's generation, and the checksum that the next one continues. */
export interface AppliedJournal {
  generation: number;
  crc: number;
}

export class LmdbStore implements Layer {
  readonly #root: RootDatabase<Uint8Array, Uint8Array>;
  readonly #data: Bytes;
  readonly #engine: Bytes;

  private constructor(root: RootDatabase<Uint8Array, Uint8Array>) {
    this.#root = root;
    this.#data = root.openDB({ name: "data", ...BINARY });
    this.#engine = root.openDB({ name: "engine", ...BINARY });
  }

  /** @throws FsError EBUSY when another process has the directory open */
  static open(directory: string): LmdbStore {
    const root = open<Uint8Array, Uint8Array>({
      path: directory,
      noSubdir: false,
      mapSize: METADATA_MAP_BYTES,
      overlappingSync: false,
      ...BINARY,
    });
    // A read makes this process one of the readers that lmdb lists; their locks die with them.
    root.getBinary(APPLIED_KEY);
    const readers = root.readerList().trim().split("\n").slice(1);
    if (readers.length > 1) {
      const others = readers.map((line) => line.trim().split(/\s+/)[0]);
      const pids = others.filter((pid) => pid !== String(process.pid)).join(", ");
      void root.close();
      throw new FsError("EBUSY", `${directory} is in use by another process (pid ${pids})`);
    }
    return new LmdbStore(root);
  }

  get(key: Key): Uint8Array | undefined {
    return this.#data.getBinary(key);
  }

  range({ start, end, limit, reverse }: RangeOptions): Iterable<Entry> {
    const bounded = limit === undefined ? {} : { limit };
    if (reverse !== true) return this.#data.getRange({ start, end, ...bounded });
    return this.#data.getRange({
      start: end,
      exclusiveStart: true,
      end: start,
      inclusiveEnd: true,
      reverse: true,
      ...bounded,
    });
  }

  /** The last journal that is wholly in the database; generation 0 if none. */
  appliedJournal(): AppliedJournal {
    const value = this.#engine.getBinary(APPLIED_KEY);
    if (value === undefined) return { generation: 0, crc: 0 };
    const record = Buffer.from(value);
    return { generation: Number(record.readBigUInt64LE()), crc: record.readUInt32LE(8) };
  }

  /**
   * Writes pairs (null deletes), and the journal they end where given, in one lmdb transaction of
   * its writer thread. On disk when it resolves.
   * @throws FsError EIO
   */
  async write(
    entries: readonly (readonly [Uint8Array, Uint8Array | null])[],
    applied?: AppliedJournal,
  ): Promise<void> {
    const data = this.#data;
    const written = data.batch(() => {
      let last: Promise<boolean> | undefined;
      for (const [key, value] of entries) {
        const one = value === null ? data.remove(key) : data.put(key, value);
        // Most of a batch share a promise; the batch's own tells of a failure.
        if (one !== last) one.catch(() => undefined);
        last = one;
      }
      if (applied === undefined) return;
      const record = Buffer.alloc(12);
      record.writeBigUInt64LE(BigInt(applied.generation));
      record.writeUInt32LE(applied.crc, 8);
      this.#engine.put(APPLIED_KEY, record).catch(() => undefined);
    });
    try {
      await written;
    } catch (error) {
      // lmdb keeps a promise of its own for the commit, whose rejection nobody else handles.
      void data.committed.then(undefined, () => undefined);
      throw await commitFailure(error);
    }
    // Reads of this turn must not go on with a snapshot from before.
    data.resetReadTxn();
  }

  /** Bytes of the file that no tree uses: they are written to before the file grows. */
  reusableBytes(): number {
    const data = this.#data.getStats() as StoreStats;
    const engine = this.#engine.getStats() as StoreStats;
    const used = [data, engine, data.root, data.free].reduce(
      (sum, tree) => sum + tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages,
      0,
    );
    return Math.max(0, data.lastPageNumber + 1 - used) * data.pageSize;
  }

  async close(): Promise<void> {
    await this.#root.close();
  }
}

/** lmdb's rejection hides the reason in a promise of its own. */
async function commitFailure(error: unknown): Promise<FsError> {
  const { commitError } = error as { commitError?: Promise<never> };
  const cause = await commitError?.catch((reason: unknown) => reason);
  return new FsError("EIO", "cannot write the metadata database; is the disk full?", {
    cause: cause ?? error,
  });
}
