// The seam under the namespace: an ordered transactional key-value store. Keys and values are
// bytes.
import type { Incarnation } from "../../protocol/rpc/acknowledged.ts";

export type Key = Uint8Array;

export interface RangeOptions {
  /** First key, inclusive. */
  start: Key;
  /** End, exclusive. */
  end: Key;
  limit?: number;
  reverse?: boolean;
}

/**
 * A consistent snapshot. Valid only while the callback runs. Bytes returned must not be changed.
 */
export interface ReadTransaction {
  get(key: Key): Uint8Array | undefined;
  /** Pairs in unsigned byte order of the keys. The transaction must not write while it iterates. */
  range(options: RangeOptions): Iterable<{ key: Key; value: Uint8Array }>;
}

export interface Transaction extends ReadTransaction {
  /** The engine's position when this has been committed, if it changes something. */
  readonly position: number;
  put(key: Key, value: Uint8Array): void;
  /** Deleting a missing key is no error. */
  delete(key: Key): void;
}

/** New values by key, null where it was deleted, of one transaction. */
export type CommittedChanges = Iterable<readonly [key: Key, value: Uint8Array | null]>;

/**
 * Callbacks are synchronous, may be run again, and so have no side effects outside the transaction.
 * A callback that throws leaves nothing behind; others of the same group commit are not harmed.
 */
export interface Engine extends AsyncDisposable {
  /**
   * Counts the acknowledged transactions that changed something, over all starts. After a power cut
   * it goes on from what was on disk.
   */
  readonly position: number;
  /** All that was acknowledged up to this position survives a power cut. */
  readonly durablePosition: number;
  /**
   * Another one at each start that may have lost something; a bounded number of them, the newest
   * last.
   */
  readonly incarnations: readonly Incarnation[];
  /** Sees everything acknowledged before. Engines on another machine answer with a promise. */
  read<T>(callback: (tx: ReadTransaction) => T): T | Promise<T>;
  /**
   * Serializable; resolves when the commit is in order and survives this process. With `durable`
   * when it also survives a power cut (many share one flush); without it does so within a second.
   */
  transact<T>(callback: (tx: Transaction) => T, options?: { durable?: boolean }): Promise<T>;
  /**
   * False while so little space is left that only what shrinks the store should be asked for;
   * asking then makes the store see to it that what was deleted becomes room.
   */
  hasRoom(): boolean;
  /**
   * From now on a commit that finds no space fails instead of waiting for some: the process is to
   * end.
   */
  endWaits(): void;
  /** Resolves when every commit acknowledged before is on disk. */
  flush(): Promise<void>;
  /**
   * From now on `listener` gets the changes of each transaction, in order, in the turn in which
   * reads begin to see them. Returns the way to stop it.
   */
  follow(listener: (changes: CommittedChanges) => void): () => void;
  close(): Promise<void>;
}
