// Durability of shard files: which of them aren't on disk yet, and bringing them there, each once,
// a few at a time, however many ask. Syncing early what is written makes the sync itself five times
// shorter, but on machines whose CPUs are busy it slows the writes by as much and costs a tenth
// more CPU (six nodes on two cores, 1 GiB: 1.7 + 0.48 s against 2.5 + 0.06 s); so only a backlog
// is.
import { formatShardId, type ShardId } from "../../domain/ids.ts";
import { MAX_FILE_SYNCS, MAX_UNSYNCED_FILES } from "./limits.ts";
import { WorkLimit } from "../../platform/flow/work-limit.ts";
import type { ShardFiles } from "./shard-files.ts";

interface Unsynced {
  id: ShardId;
  syncing?: Promise<void>;
}

export class ShardFlusher {
  readonly #files: ShardFiles;
  /** In the order they were written. */
  readonly #unsynced = new Map<string, Unsynced>();
  readonly #limit = new WorkLimit(MAX_FILE_SYNCS);

  constructor(files: ShardFiles) {
    this.#files = files;
  }

  /** A file has been written. Many that wait bound what a sync may find left to do. */
  written(id: ShardId): void {
    this.#unsynced.set(formatShardId(id), { id });
    if (this.#unsynced.size <= MAX_UNSYNCED_FILES) return;
    for (const entry of this.#unsynced.values()) {
      if (entry.syncing !== undefined) continue;
      // A failure is told to whoever asks for the shard's sync, which tries again.
      this.#sync(entry).catch(() => undefined);
      return;
    }
  }

  /** The shard is gone. */
  forget(id: ShardId): void {
    this.#unsynced.delete(formatShardId(id));
  }

  /**
   * Resolves when `fresh` (written by this process) and `old` (by an earlier one) are on disk, with
   * their directory entries.
   * @throws FsError ENOENT, EIO
   */
  async sync(fresh: readonly ShardId[], old: readonly ShardId[]): Promise<void> {
    const entries = fresh
      .map((id) => this.#unsynced.get(formatShardId(id)))
      .filter((entry) => entry !== undefined);
    const files = [...entries, ...old.map((id): Unsynced => ({ id }))];
    const outcomes = await Promise.allSettled(files.map((entry) => this.#sync(entry)));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    await this.#files.syncDirectories(fresh, false);
    await this.#files.syncDirectories(old, true);
  }

  /** Resolves when nothing is under way. */
  async settle(): Promise<void> {
    await Promise.allSettled(
      [...this.#unsynced.values()].map((entry) => entry.syncing ?? Promise.resolve()),
    );
  }

  #sync(entry: Unsynced): Promise<void> {
    entry.syncing ??= this.#limit
      .run(1, undefined, () => this.#files.syncFile(entry.id))
      .then(
        () => {
          const name = formatShardId(entry.id);
          if (this.#unsynced.get(name) === entry) this.#unsynced.delete(name);
        },
        (error: unknown) => {
          delete entry.syncing;
          throw error;
        },
      );
    return entry.syncing;
  }
}
