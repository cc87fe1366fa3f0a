// Engine on lmdb. A commit is acknowledged by one append to the journal; its changes stay in
// memory, over the database, until a checkpoint carries them there in the background. So a commit
// costs a few microseconds whatever the disk's fsync takes, and a key that changes often is written
// once.
import { FsError } from "../../domain/errno.ts";
import { invariant, passViolation } from "../../domain/invariant.ts";
import {
  CHECKPOINT_KEYS_PER_TURN,
  FULL_DISK_RETRY_MS,
  JOURNAL_CHECKPOINT_BYTES,
  JOURNALS_PER_RESERVE,
  MAX_JOURNAL_OVERRUN,
  METADATA_MAP_BYTES,
} from "./limits.ts";
import type { Log } from "../../observability/log.ts";
import { nextTurn, type Clock } from "../../platform/clock.ts";
import type { Disk, DiskFigures } from "../../platform/disk/disk.ts";
import type { OpenStore } from "../../platform/store/ordered-store.ts";
import { DiskReserve } from "./disk-reserve.ts";
import type { Engine, ReadTransaction, Transaction } from "./engine.ts";
import { JournalFile } from "./journal.ts";
import { ChangedLayer, keyOfText, LayerReader, LayerTransaction } from "./layers.ts";
import type { Changes, Layer } from "./layers.ts";
import { CheckpointStore, type AppliedJournal } from "./checkpoint-store.ts";
import { recoverJournals } from "./recovery.ts";
import { SortedMap } from "./sorted-map.ts";

export interface LmdbEngineOptions {
  /** Belongs to this engine; made if it isn't there. */
  directory: string;
  clock: Clock;
  disk: Disk;
  openStore: OpenStore;
  log?: Log;
  /**
   * A checkpoint begins when the journal has this many bytes; JOURNAL_CHECKPOINT_BYTES unless
   * given.
   */
  checkpointBytes?: number;
  /** The store can't go on: nothing but closing it works any more. */
  onFailure?: (failure: FsError) => void;
}

interface Job {
  run: (tx: Transaction) => unknown;
  durable: boolean;
  resolve: (result: unknown) => void;
  reject: (error: unknown) => void;
}

/** What one open engine consists of, put together by `open`. */
interface Parts {
  directory: string;
  clock: Clock;
  disk: Disk;
  store: CheckpointStore;
  journal: JournalFile;
  spare: JournalFile;
  reserve: DiskReserve;
  checkpointBytes: number;
  log: Log | undefined;
  onFailure: ((failure: FsError) => void) | undefined;
}

export class LmdbEngine implements Engine {
  readonly #parts: Parts;
  #journal: JournalFile;
  /** The next journal, made ahead so that no commit waits for it. */
  #spare: JournalFile | undefined;
  #active: Changes = new SortedMap();
  #top: Layer;
  #queue: Job[] = [];
  #scheduled = false;
  #checkpoint: Promise<void> | undefined;
  /** The journal whose checkpoint runs; it may not be on disk yet. */
  #frozenJournal: JournalFile | undefined;
  #wantsCheckpoint = false;
  /** A group of commits waits for space on the disk. */
  #stalled = false;
  /** Waits for space are still worth it. */
  #patient = true;
  #closing: Promise<void> | undefined;
  /** Set when the journal or the database failed: what is in memory is no longer what is stored. */
  #failure: FsError | undefined;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.#journal = parts.journal;
    this.#spare = parts.spare;
    this.#top = new ChangedLayer(this.#active, parts.store);
  }

  /**
   * Opens the store and redoes what the journals have beyond the last checkpoint.
   * @throws FsError EBUSY when another process has it open, EIO when it is damaged
   */
  static async open(options: LmdbEngineOptions): Promise<LmdbEngine> {
    const { directory, clock, disk, log, onFailure } = options;
    disk.makeDirectorySync(directory, 0o700);
    const store = openStore(options);
    try {
      const generation = await recoverJournals(disk, directory, store, log);
      const journal = await JournalFile.create(disk, directory, generation + 1);
      const spare = await JournalFile.create(disk, directory, generation + 2);
      const measure = (): DiskFigures => disk.figures(directory);
      const reserve = new DiskReserve(measure, () => store.reusableBytes(), clock);
      const { checkpointBytes = checkpointBytesWithin(reserve) } = options;
      const files = { directory, clock, disk, store, journal, spare };
      return new LmdbEngine({ ...files, reserve, checkpointBytes, log, onFailure });
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  read<T>(callback: (tx: ReadTransaction) => T): T {
    this.#assertUsable();
    return callback(new LayerReader(this.#top));
  }

  transact<T>(callback: (tx: Transaction) => T, options: { durable?: boolean } = {}): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closing !== undefined) throw closedError();
      this.#queue.push({
        run: callback,
        durable: options.durable === true,
        // The result of this very callback, so it is a T.
        resolve: resolve as (result: unknown) => void,
        reject,
      });
      this.#schedule();
    });
  }

  hasRoom(): boolean {
    const hasRoom = this.#parts.reserve.hasRoom();
    // What was deleted may be in memory only.
    this.#wantsCheckpoint = !hasRoom && this.#active.size > 0;
    return hasRoom;
  }

  endWaits(): void {
    this.#patient = false;
  }

  async flush(): Promise<void> {
    this.#assertUsable();
    // Commits in the queue were not acknowledged; the frozen journal's are older than the
    // current's.
    await Promise.all([this.#frozenJournal?.sync(), this.#journal.sync()]).catch(this.#fail);
    this.#assertUsable();
  }

  close(): Promise<void> {
    this.#patient = false;
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#parts.clock.soon(this.#drain);
  }

  readonly #drain = (): void => {
    this.#scheduled = false;
    if (this.#stalled || this.#mustWait()) return;
    const jobs = this.#queue;
    this.#queue = [];
    const done: [Job, unknown][] = [];
    for (const job of jobs) {
      try {
        this.#assertUsable();
        done.push([job, this.#apply(job)]);
      } catch (error) {
        passViolation(error);
        job.reject(error);
      }
    }
    this.#acknowledge(done);
  };

  #acknowledge(done: readonly [Job, unknown][]): void {
    if (this.#failure !== undefined) {
      for (const [job] of done) job.reject(this.#failure);
      return;
    }
    try {
      this.#journal.commit();
    } catch (error) {
      passViolation(error);
      if (isDiskFull(error) && this.#patient) {
        this.#stall(done, error);
        return;
      }
      this.#fail(error);
      for (const [job] of done) job.reject(this.#failure);
      return;
    }
    for (const [job, result] of done) {
      if (!job.durable) job.resolve(result);
      else this.flush().then(() => job.resolve(result), job.reject);
    }
    this.#rotateIfFull();
  }

  /** Others have taken the reserve: commits wait for space, and nothing is lost. */
  #stall(done: readonly [Job, unknown][], cause: unknown): void {
    this.#parts.log?.error({ err: cause }, "the metadata disk is full; changes wait for space");
    this.#stalled = true;
    // It keeps the process alive: whoever stops waits for these commits, perhaps for nothing else.
    void this.#parts.clock.sleep(FULL_DISK_RETRY_MS).then(() => {
      this.#stalled = false;
      this.#acknowledge(done);
      this.#schedule();
    });
  }

  /** Runs a callback; what it wrote counts only when it has returned. */
  #apply(job: Job): unknown {
    const tx = new LayerTransaction(this.#top);
    const result = job.run(tx);
    if (tx.changes.size > 0) {
      this.#journal.add(tx.changes);
      for (const [key, value] of tx.changes.entries()) this.#active.set(key, value);
    }
    return result;
  }

  /** The checkpoint is far behind: it calls #schedule when it is done. */
  #mustWait(): boolean {
    const limit = this.#parts.checkpointBytes * MAX_JOURNAL_OVERRUN;
    return this.#checkpoint !== undefined && this.#journal.writtenBytes > limit;
  }

  #rotateIfFull(): void {
    const full = this.#journal.writtenBytes >= this.#parts.checkpointBytes;
    if (!full && !this.#wantsCheckpoint) return;
    if (this.#checkpoint === undefined && this.#closing === undefined) this.#startCheckpoint();
  }

  #startCheckpoint(): void {
    if (this.#spare === undefined) return;
    this.#wantsCheckpoint = false;
    const frozen = this.#active;
    const frozenJournal = this.#journal;
    const below = new ChangedLayer(frozen, this.#parts.store);
    invariant(
      this.#spare.generation === frozenJournal.generation + 1,
      "journals follow one another",
      { frozen: frozenJournal.generation, next: this.#spare.generation },
    );
    this.#spare.follow(frozenJournal.crc);
    this.#journal = this.#spare;
    this.#spare = undefined;
    this.#frozenJournal = frozenJournal;
    this.#active = new SortedMap();
    this.#top = new ChangedLayer(this.#active, below);
    this.#checkpoint = this.#carryOver(frozen, frozenJournal)
      .catch(this.#fail)
      .finally(() => {
        this.#checkpoint = undefined;
        this.#schedule();
      });
  }

  /** Carries a journal's changes to the database and drops both the journal and the layer. */
  async #carryOver(frozen: Changes, journal: JournalFile): Promise<void> {
    const { store, directory } = this.#parts;
    // The database must not know of commits that a power cut could still take from the journal.
    await journal.sync();
    await this.#whenRoom(() => applyChanges(store, frozen, journal));
    this.#top = new ChangedLayer(this.#active, store);
    this.#frozenJournal = undefined;
    await journal.remove();
    this.#spare = await this.#whenRoom(() =>
      JournalFile.create(this.#parts.disk, directory, this.#journal.generation + 1),
    );
  }

  /** `work`, which may be repeated, as often as it fails on a full disk. */
  async #whenRoom<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        // lmdb calls it an input or output error.
        if (!this.#patient || !this.#parts.reserve.isShort()) throw error;
        this.#parts.log?.error({ err: error }, "the metadata disk is full; a checkpoint waits");
        await this.#parts.clock.sleep(FULL_DISK_RETRY_MS);
      }
    }
  }

  async #shutDown(): Promise<void> {
    const { store } = this.#parts;
    while (this.#queue.length > 0 || this.#stalled) await nextTurn(this.#parts.clock);
    await this.#checkpoint;
    if (this.#failure === undefined && this.#active.size > 0) {
      this.#startCheckpoint();
      await this.#checkpoint;
    }
    this.#failure ??= closedError();
    await this.#journal.close();
    await this.#frozenJournal?.close();
    await this.#spare?.close();
    await store.close();
  }

  readonly #fail = (error: unknown): void => {
    if (this.#failure !== undefined) return;
    this.#failure = new FsError("EIO", "the metadata store failed; restart to recover", {
      cause: error,
    });
    this.#parts.log?.fatal({ err: error }, "metadata store failed");
    this.#parts.onFailure?.(this.#failure);
  };

  #assertUsable(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** @throws FsError EBUSY when another process has it open */
function openStore({ directory, openStore: open }: LmdbEngineOptions): CheckpointStore {
  const store = open({
    directory,
    what: "the metadata database",
    syncEachCommit: true,
    mapBytes: METADATA_MAP_BYTES,
  });
  const others = store.otherUsers();
  if (others.length > 0) {
    void store.close();
    const pids = others.join(", ");
    throw new FsError("EBUSY", `${directory} is in use by another process (pid ${pids})`);
  }
  return new CheckpointStore(store);
}

function checkpointBytesWithin({ reserveBytes }: DiskReserve): number {
  return Math.min(JOURNAL_CHECKPOINT_BYTES, reserveBytes / JOURNALS_PER_RESERVE);
}

function isDiskFull(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOSPC" || code === "EDQUOT";
}

function closedError(): FsError {
  return new FsError("EIO", "the metadata engine is closed");
}

async function applyChanges(
  store: CheckpointStore,
  changes: Changes,
  journal: AppliedJournal,
): Promise<void> {
  let batch: [Uint8Array, Uint8Array | null][] = [];
  for (const [key, value] of changes.entries()) {
    batch.push([keyOfText(key), value]);
    if (batch.length < CHECKPOINT_KEYS_PER_TURN) continue;
    await store.write(batch);
    batch = [];
  }
  await store.write(batch, journal);
}
