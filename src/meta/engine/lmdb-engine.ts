// Engine on lmdb. A commit is acknowledged by one append to the journal; its changes stay in
// memory, over the database, until a checkpoint carries them there in the background. So a commit
// costs a few microseconds whatever the disk's fsync takes, and a key that changes often is written
// once.
import { FsError } from "../../domain/errno.ts";
import { invariant, passViolation } from "../../domain/invariant.ts";
import {
  FULL_DISK_RETRY_MS,
  JOURNAL_CHECKPOINT_BYTES,
  JOURNALS_PER_RESERVE,
  MAX_JOURNAL_OVERRUN,
} from "./limits.ts";
import type { Incarnation } from "../../protocol/rpc/acknowledged.ts";
import { nextTurn } from "../../platform/clock.ts";
import type { CheckpointStore, StoreState } from "./checkpoint-store.ts";
import { DiskReserve } from "./disk-reserve.ts";
import type { CommittedChanges, Engine, ReadTransaction, Transaction } from "./engine.ts";
import { Followers } from "./followers.ts";
import { GroupUndo } from "./group-undo.ts";
import { isDiskFull, JournalFile } from "./journal.ts";
import { ChangedLayer, LayerReader, LayerTransaction } from "./layers.ts";
import type { Changes, Layer } from "./layers.ts";
import { openEngineFiles, type EngineFiles, type LmdbEngineOptions } from "./engine-files.ts";
import { Settling } from "./settling.ts";
import { SortedMap } from "./sorted-map.ts";

interface Job {
  run: (tx: Transaction) => unknown;
  durable: boolean;
  resolve: (result: unknown) => void;
  reject: (error: unknown) => void;
}

export class LmdbEngine implements Engine {
  readonly #options: LmdbEngineOptions;
  readonly #store: CheckpointStore;
  readonly #reserve: DiskReserve;
  readonly #checkpointBytes: number;
  readonly #settling: Settling;
  readonly #followers = new Followers();
  #state: StoreState;
  #journal: JournalFile;
  /** The next journal, made ahead so that no commit waits for it. */
  #spare: JournalFile | undefined;
  #active: Changes = new SortedMap();
  #below: Layer;
  /** #active over #below. */
  #top: Layer;
  /** What reads see instead of #top while a group of commits waits for space on the disk. */
  #withoutStalled: Layer | undefined;
  readonly #undo = new GroupUndo();
  /** Of the last acknowledged transaction. */
  #position: number;
  /** Of the last one in the group under way. */
  #applied: number;
  #queue: Job[] = [];
  #scheduled = false;
  #checkpoint: Promise<void> | undefined;
  /** The journal whose checkpoint runs; it may not be on disk yet. */
  #frozenJournal: JournalFile | undefined;
  #wantsCheckpoint = false;
  /** Waits for space are still worth it. */
  #patient = true;
  #closing: Promise<void> | undefined;
  /** Set when the journal or the database failed: what is in memory is no longer what is stored. */
  #failure: FsError | undefined;

  private constructor(options: LmdbEngineOptions, files: EngineFiles) {
    const { directory, disk, clock } = options;
    const { store, state, journal, spare } = files;
    this.#options = options;
    this.#store = store;
    this.#state = state;
    this.#journal = journal;
    this.#spare = spare;
    this.#position = state.position;
    this.#applied = state.position;
    this.#below = store;
    this.#top = new ChangedLayer(this.#active, store);
    this.#reserve = new DiskReserve(
      () => disk.figures(directory),
      () => store.reusableBytes(),
      clock,
    );
    this.#checkpointBytes = options.checkpointBytes ?? checkpointBytesWithin(this.#reserve);
    this.#settling = new Settling(
      {
        clock,
        flush: () => this.flush(),
        durablePosition: () => this.durablePosition,
        note: (position) => this.#noteDurable(position),
        fail: this.#fail,
      },
      state.position,
    );
  }

  /**
   * Opens the store and redoes what the journals have beyond the last checkpoint.
   * @throws FsError EBUSY when another process has it open; EIO when it is damaged, of another
   *   format, or has lost what had been on disk
   */
  static async open(options: LmdbEngineOptions): Promise<LmdbEngine> {
    return new LmdbEngine(options, await openEngineFiles(options));
  }

  get position(): number {
    return this.#position;
  }

  get durablePosition(): number {
    const frozen = this.#frozenJournal;
    const behind = frozen !== undefined && frozen.syncedPosition < frozen.position;
    return behind ? frozen.syncedPosition : this.#journal.syncedPosition;
  }

  get incarnations(): readonly Incarnation[] {
    return this.#state.incarnations;
  }

  read<T>(callback: (tx: ReadTransaction) => T): T {
    this.#assertUsable();
    return callback(new LayerReader(this.#withoutStalled ?? this.#top));
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
    const hasRoom = this.#reserve.hasRoom();
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

  follow(listener: (changes: CommittedChanges) => void): () => void {
    return this.#followers.add(listener);
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
    this.#options.clock.soon(this.#drain);
  }

  readonly #drain = (): void => {
    this.#scheduled = false;
    if (this.#withoutStalled !== undefined || this.#mustWait()) return;
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
    this.#withoutStalled = undefined;
    if (this.#failure !== undefined) {
      for (const [job] of done) job.reject(this.#failure);
      return;
    }
    try {
      this.#journal.commit(this.#applied, this.durablePosition);
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
    this.#admitGroup();
    for (const [job, result] of done) {
      if (!job.durable) job.resolve(result);
      else this.flush().then(() => job.resolve(result), job.reject);
    }
    this.#rotateIfFull();
  }

  /** The group is in the journal: reads see it from now on. */
  #admitGroup(): void {
    this.#undo.clear();
    if (this.#position === this.#applied) return;
    this.#position = this.#applied;
    this.#settling.wake();
    this.#followers.tell();
  }

  /** Others have taken the reserve: commits wait for space, and nothing is lost. */
  #stall(done: readonly [Job, unknown][], cause: unknown): void {
    this.#options.log?.error({ err: cause }, "the metadata disk is full; changes wait for space");
    this.#withoutStalled = this.#undo.hideIn(this.#top, this.#below);
    // It keeps the process alive: whoever stops waits for these commits, perhaps for nothing else.
    void this.#options.clock.sleep(FULL_DISK_RETRY_MS).then(() => {
      this.#acknowledge(done);
      this.#schedule();
    });
  }

  /** Runs a callback; what it wrote counts only when it has returned. */
  #apply(job: Job): unknown {
    const tx = new LayerTransaction(this.#top, this.#applied + 1);
    const result = job.run(tx);
    if (tx.changes.size === 0) return result;
    this.#applied += 1;
    this.#journal.add(tx.changes);
    for (const [key, value] of tx.changes.entries()) {
      this.#undo.note(key, this.#active.get(key));
      this.#active.set(key, value);
    }
    this.#followers.keep(tx.changes);
    return result;
  }

  /** The checkpoint is far behind: it calls #schedule when it is done. */
  #mustWait(): boolean {
    const limit = this.#checkpointBytes * MAX_JOURNAL_OVERRUN;
    return this.#checkpoint !== undefined && this.#journal.writtenBytes > limit;
  }

  #rotateIfFull(): void {
    const full = this.#journal.writtenBytes >= this.#checkpointBytes;
    if (!full && !this.#wantsCheckpoint) return;
    if (this.#checkpoint === undefined && this.#closing === undefined) this.#startCheckpoint();
  }

  #startCheckpoint(): void {
    if (this.#spare === undefined) return;
    this.#wantsCheckpoint = false;
    const frozen = this.#active;
    const frozenJournal = this.#journal;
    this.#below = new ChangedLayer(frozen, this.#store);
    invariant(
      this.#spare.generation === frozenJournal.generation + 1,
      "journals follow one another",
      { frozen: frozenJournal.generation, next: this.#spare.generation },
    );
    this.#spare.follow(frozenJournal.crc, frozenJournal.position);
    this.#journal = this.#spare;
    this.#spare = undefined;
    this.#frozenJournal = frozenJournal;
    this.#active = new SortedMap();
    this.#top = new ChangedLayer(this.#active, this.#below);
    this.#checkpoint = this.#carryOver(frozen, frozenJournal)
      .catch(this.#fail)
      .finally(() => {
        this.#checkpoint = undefined;
        this.#schedule();
      });
  }

  /** Carries a journal's changes to the database and drops both the journal and the layer. */
  async #carryOver(frozen: Changes, journal: JournalFile): Promise<void> {
    const { disk, directory } = this.#options;
    // The database must not know of commits that a power cut could still take from the journal.
    await journal.sync();
    const { storeId } = this.#state;
    const next = await this.#whenRoom(() =>
      JournalFile.create(disk, directory, storeId, this.#journal.generation + 1),
    );
    this.#spare = next;
    const { generation: applied, crc, position } = journal;
    const created = next.generation;
    const state: StoreState = { ...this.#state, applied, crc, position, created };
    await this.#whenRoom(() => this.#store.carryOver(frozen, state));
    this.#state = state;
    this.#below = this.#store;
    this.#top = new ChangedLayer(this.#active, this.#store);
    this.#frozenJournal = undefined;
    await journal.remove();
  }

  /** False where the disk has no room for it. */
  async #noteDurable(position: number): Promise<boolean> {
    try {
      await this.#store.noteDurable(position);
      return true;
    } catch (error) {
      passViolation(error);
      if (this.#reserve.isShort()) return false;
      throw error;
    }
  }

  /** `work`, which may be repeated, as often as it fails on a full disk. */
  async #whenRoom<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        // lmdb calls it an input or output error.
        if (!this.#patient || !this.#reserve.isShort()) throw error;
        this.#options.log?.error({ err: error }, "the metadata disk is full; a checkpoint waits");
        await this.#options.clock.sleep(FULL_DISK_RETRY_MS);
      }
    }
  }

  async #shutDown(): Promise<void> {
    const isBusy = (): boolean => this.#queue.length > 0 || this.#withoutStalled !== undefined;
    while (isBusy()) await nextTurn(this.#options.clock);
    await this.#settling.close();
    await this.#checkpoint;
    if (this.#failure === undefined && this.#active.size > 0) {
      this.#startCheckpoint();
      await this.#checkpoint;
    }
    if (this.#failure === undefined) {
      await this.#store.write([], { ...this.#state, clean: true }).catch(this.#fail);
    }
    this.#failure ??= closedError();
    await this.#journal.close();
    await this.#frozenJournal?.close();
    await this.#spare?.close();
    await this.#store.close();
  }

  readonly #fail = (error: unknown): void => {
    if (this.#failure !== undefined) return;
    this.#failure = new FsError("EIO", "the metadata store failed; restart to recover", {
      cause: error,
    });
    this.#options.log?.fatal({ err: error }, "metadata store failed");
    this.#options.onFailure?.(this.#failure);
  };

  #assertUsable(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

function checkpointBytesWithin({ reserveBytes }: DiskReserve): number {
  return Math.min(JOURNAL_CHECKPOINT_BYTES, reserveBytes / JOURNALS_PER_RESERVE);
}

function closedError(): FsError {
  return new FsError("EIO", "the metadata engine is closed");
}
