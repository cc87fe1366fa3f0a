// Durability of shard files: which of them aren't on disk yet, and bringing them there, each once,
// a few at a time, however many ask. A disk that fails to is not asked again: what it had not
// written is lost, whatever it says the second time, so all that the call covered is condemned.
//
// Syncing early what is written makes the sync itself five times shorter, but on machines whose
// CPUs are busy it slows the writes by as much and costs a tenth more CPU (six nodes on two cores,
// 1 GiB: 1.7 + 0.48 s against 2.5 + 0.06 s); so only a backlog is, and what has waited for a while.
import { isFsError } from "../../domain/errno.ts";
import { formatShardId, type ShardId } from "../../domain/ids.ts";
import type { Clock } from "../../platform/clock.ts";
import { WorkLimit } from "../../platform/flow/work-limit.ts";
import { MAX_FILE_SYNCS, MAX_UNSYNCED_FILES } from "./limits.ts";
import type { ShardFiles } from "./shard-files.ts";
import type { Damage } from "./shard-record.ts";

interface Unsynced {
  readonly id: ShardId;
  readonly name: string;
  readonly sinceMs: number;
  /** Set when the disk has failed: it is never asked again. */
  lost?: Damage;
  syncing?: Promise<void>;
}

/** Sets a shard aside, if `isCurrent` still says so when its turn has come. */
export type Condemn = (id: ShardId, kind: Damage, isCurrent: () => boolean) => Promise<void>;

export class ShardFlusher {
  readonly #files: ShardFiles;
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #condemn: Condemn;
  /** Files whose bytes may not be on disk, in the order they were written or tried in vain. */
  readonly #unsynced = new Map<string, Unsynced>();
  /** Those whose bytes are, and whose folders may not say so yet. */
  readonly #unlisted = new Map<string, Unsynced>();
  readonly #limit = new WorkLimit(MAX_FILE_SYNCS);

  constructor(files: ShardFiles, clock: Pick<Clock, "monotonicMs">, condemn: Condemn) {
    this.#files = files;
    this.#clock = clock;
    this.#condemn = condemn;
  }

  /**
   * A file stands in its place, and may not be on disk. Call it before the index says that it is
   * there. Many that wait bound what a flush may find left to do.
   */
  written(id: ShardId): void {
    const name = formatShardId(id);
    this.#unlisted.delete(name);
    // Newest last.
    this.#unsynced.delete(name);
    this.#unsynced.set(name, { id, name, sinceMs: this.#clock.monotonicMs() });
    if (this.#unsynced.size <= MAX_UNSYNCED_FILES) return;
    for (const entry of this.#unsynced.values()) {
      if (entry.syncing !== undefined) continue;
      // Whoever wants the shard on disk is told what became of it; others try again.
      this.#syncFile(entry).catch(() => undefined);
      return;
    }
  }

  /** As `written` of a file of an earlier start; one that waits already goes on waiting. */
  mayBeUnsynced(id: ShardId): void {
    const name = formatShardId(id);
    if (!this.#unsynced.has(name) && !this.#unlisted.has(name)) this.written(id);
  }

  /** The shard is gone. */
  forget(id: ShardId): void {
    this.#unsynced.delete(formatShardId(id));
    this.#unlisted.delete(formatShardId(id));
  }

  /**
   * Resolves when those of `ids` that wait are on disk, with their folders' entries, or condemned:
   * to the text ids of these. Throws where a file can't be opened, which says nothing of its bytes.
   */
  async flush(ids: readonly ShardId[]): Promise<ReadonlySet<string>> {
    const entries = new Set<Unsynced>();
    for (const id of ids) {
      const name = formatShardId(id);
      const entry = this.#unsynced.get(name) ?? this.#unlisted.get(name);
      if (entry !== undefined) entries.add(entry);
    }
    const waiting = [...entries].filter((entry) => this.#waits(entry));
    const outcomes = await Promise.allSettled(waiting.map((entry) => this.#syncFile(entry)));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    await this.#list([...entries].filter(({ name }) => this.#unlisted.has(name)));
    const condemned = [...entries].filter(({ lost }) => lost === "corrupt");
    return new Set(condemned.map(({ name }) => name));
  }

  /** The same of all that was written until `untilMs` (monotonic), one file at a time. */
  async flushUntil(untilMs: number): Promise<void> {
    let failed: { error: unknown } | undefined;
    // One that can't be opened moves to the end.
    for (const entry of [...this.#unsynced.values()]) {
      if (entry.sinceMs > untilMs || !this.#waits(entry)) continue;
      await this.#syncFile(entry).catch((error: unknown) => (failed ??= { error }));
    }
    await this.#list([...this.#unlisted.values()]);
    if (failed !== undefined) throw failed.error;
  }

  #syncFile(entry: Unsynced): Promise<void> {
    entry.syncing ??= this.#limit
      .run(1, undefined, () => this.#bringToDisk(entry))
      .finally(() => {
        delete entry.syncing;
      });
    return entry.syncing;
  }

  async #bringToDisk(entry: Unsynced): Promise<void> {
    try {
      if (entry.lost === undefined && !(await this.#files.syncFile(entry.id))) {
        entry.lost = "corrupt";
      }
    } catch (error) {
      if (!isFsError(error, "ENOENT")) {
        this.#putLast(entry);
        throw error;
      }
      entry.lost = "missing";
    }
    if (!this.#waits(entry)) return;
    if (entry.lost === undefined) {
      this.#unsynced.delete(entry.name);
      this.#unlisted.set(entry.name, entry);
      return;
    }
    await this.#condemn(entry.id, entry.lost, () => this.#waits(entry));
    if (this.#waits(entry)) this.forget(entry.id);
  }

  /** Others are to have their turn before it is tried again. */
  #putLast(entry: Unsynced): void {
    if (!this.#waits(entry)) return;
    this.#unsynced.delete(entry.name);
    this.#unsynced.set(entry.name, entry);
  }

  /** Brings the folders of `entries` to disk. */
  async #list(entries: readonly Unsynced[]): Promise<void> {
    if (entries.length === 0) return;
    if (await this.#files.syncFolders(entries.map(({ id }) => id))) {
      for (const entry of entries) {
        if (this.#unlisted.get(entry.name) === entry) this.#unlisted.delete(entry.name);
      }
      return;
    }
    // Nobody knows which entries of which folder were lost.
    for (const [name, entry] of this.#unlisted) this.#unsynced.set(name, entry);
    this.#unlisted.clear();
    const lost = [...this.#unsynced.values()];
    for (const entry of lost) entry.lost = "corrupt";
    for (const entry of lost) await this.#syncFile(entry);
  }

  #waits(entry: Unsynced): boolean {
    return this.#unsynced.get(entry.name) === entry;
  }
}
