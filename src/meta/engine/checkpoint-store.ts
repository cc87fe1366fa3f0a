// The database below the engine, as a layer: what checkpoints carry there, and what it knows of the
// store beside it: which one it is, which journals there must be, what was on disk.
import { crc32 } from "node:zlib";
import { FsError } from "../../domain/errno.ts";
import type { OrderedStore, StoreTable } from "../../platform/store/ordered-store.ts";
import type { Incarnation } from "../../protocol/rpc/acknowledged.ts";
import type { Key, RangeOptions } from "./engine.ts";
import { withKeys, type Changes, type Entry, type Layer } from "./layers.ts";
import { CHECKPOINT_KEYS_PER_TURN } from "./limits.ts";

const STATE_KEY = Buffer.from("state");
const DURABLE_KEY = Buffer.from("durable");
/** Where format 1 had what it knew of its journals. */
const FORMAT_1_KEY = Buffer.from("applied");
/** The store's format as a whole: database, journals and what the namespace keeps in them. */
const FORMAT = 2;
/** Format and checksum in front of the state. */
const STATE_HEAD = 5;

export interface StoreState {
  /** Random, a UUID: the journals have it in their heads. */
  readonly storeId: string;
  /** The last journal that is wholly in the database; 0 if none. */
  readonly applied: number;
  /** Checksum of its last record, which the next one continues. */
  readonly crc: number;
  /** The engine's position with it. */
  readonly position: number;
  /** Journals behind `applied` up to this one are there, each on disk before it was used. */
  readonly created: number;
  readonly incarnations: readonly Incarnation[];
  /** It was closed in order, and nothing has happened since. */
  readonly clean: boolean;
}

export class CheckpointStore implements Layer {
  readonly #store: OrderedStore;
  readonly #data: StoreTable;
  readonly #engine: StoreTable;

  /** Owns `store`, whose commits are on disk when they resolve. */
  constructor(store: OrderedStore) {
    this.#store = store;
    this.#data = store.table("data");
    this.#engine = store.table("engine");
  }

  get(key: Key): Uint8Array | undefined {
    return this.#data.get(key);
  }

  range(range: RangeOptions): Iterable<Entry> {
    return this.#data.range(range);
  }

  /**
   * Undefined where nothing was ever written.
   * @throws FsError EIO when it is of another format, or damaged
   */
  loadState(): StoreState | undefined {
    const record = this.#engine.get(STATE_KEY);
    if (record === undefined) {
      if (this.#engine.get(FORMAT_1_KEY) !== undefined) throw unknownFormat(1);
      return undefined;
    }
    const [format = 0] = record;
    if (format !== FORMAT) throw unknownFormat(format);
    const body = record.subarray(STATE_HEAD);
    if (crc32(body) !== record.readUInt32LE(1)) {
      throw new FsError("EIO", "what the metadata database says of itself is damaged");
    }
    return JSON.parse(body.toString()) as StoreState; // as encodeState wrote it
  }

  /** All up to this position had reached the disk. */
  durablePosition(): number {
    return this.#engine.get(DURABLE_KEY)?.readDoubleLE() ?? 0;
  }

  /**
   * Writes pairs (null deletes), and the store's state where given, in one transaction. With
   * `goesOn` history goes on from the state's position, though more had been on disk.
   * @throws FsError ENOSPC, EIO
   */
  write(
    entries: readonly (readonly [Key, Uint8Array | null])[],
    state?: StoreState,
    goesOn = false,
  ): Promise<void> {
    return this.#store.write((batch) => {
      for (const [key, value] of entries) {
        if (value === null) batch.remove(this.#data, key);
        else batch.put(this.#data, key, value);
      }
      if (state === undefined) return;
      batch.put(this.#engine, STATE_KEY, encodeState(state));
      if (goesOn) batch.put(this.#engine, DURABLE_KEY, encodePosition(state.position));
    });
  }

  /** Writes a journal's changes a turn at a time, and last of all the state that they lead to. */
  async carryOver(changes: Changes, state: StoreState): Promise<void> {
    let batch: [Key, Uint8Array | null][] = [];
    for (const change of withKeys(changes)) {
      batch.push(change);
      if (batch.length < CHECKPOINT_KEYS_PER_TURN) continue;
      await this.write(batch);
      batch = [];
    }
    await this.write(batch, state);
  }

  /** @throws FsError ENOSPC, EIO */
  noteDurable(position: number): Promise<void> {
    return this.#store.write((batch) => {
      batch.put(this.#engine, DURABLE_KEY, encodePosition(position));
    });
  }

  /** Bytes of the file that are written to before it grows. */
  reusableBytes(): number {
    return this.#store.reusableBytes();
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

function encodeState(state: StoreState): Buffer {
  const body = Buffer.from(JSON.stringify(state));
  const head = Buffer.alloc(STATE_HEAD);
  head[0] = FORMAT;
  head.writeUInt32LE(crc32(body), 1);
  return Buffer.concat([head, body]);
}

function encodePosition(position: number): Buffer {
  const record = Buffer.alloc(8);
  record.writeDoubleLE(position);
  return record;
}

export function unknownFormat(format: number): FsError {
  return new FsError(
    "EIO",
    `the metadata store has format ${format}, and this version of dfs knows ${FORMAT} alone: ` +
      "copy the files off with the version that wrote it, and begin a new cluster",
  );
}
