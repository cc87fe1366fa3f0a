// Copies of the metadata on a schedule: a file beside it, against what a bug or a flipped bit does
// to it, and the same bytes as coded blocks on the storage nodes, against the loss of its disk.
// Older ones go when newer ones are whole.
import { deferred, type Deferred } from "../../platform/flow/deferred.ts";
import { FsError } from "../../domain/errno.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Log } from "../../observability/log.ts";
import type { BlockStore } from "../../stripes/block-store.ts";
import type { Job, JobCounts, PassOutcome } from "../job.ts";
import { COPY_FIRST_AFTER_MS, NODE_COPIES_KEPT } from "../limits.ts";
import { BlockWriter } from "./block-writer.ts";
import type { CopyFiles, CopyLedger, FileCopy, NodeCopy } from "./copy-ledger.ts";

export interface BackupOptions {
  readonly ledger: CopyLedger;
  readonly files: CopyFiles;
  readonly blocks: Pick<BlockStore, "putBlock" | "syncBlocks">;
  /** False while a copy on the nodes can't be made: none has joined. */
  readonly hasNodes: () => boolean;
  readonly clock: Clock;
  readonly log: Log;
  /** Between copies; 0: only when asked. */
  readonly everyMs: number;
  /** Files kept. */
  readonly keep: number;
}

/** For status: what copies there are. */
export interface BackupState {
  /** Wall clock of the newest; absent: there is none. */
  readonly fileMs?: number;
  readonly nodesMs?: number;
}

export class BackupJob implements Job {
  readonly name = "backup";
  readonly intervalMs: number;
  readonly #options: BackupOptions;
  readonly #beganMs: number;
  /** When copies that still stand were made, by the monotonic clock: those of this start. */
  readonly #madeAtMs = new Map<number, number>();
  #made = 0;
  #bytes = 0;
  #asked: Deferred<BackupState>[] = [];
  #closed = false;
  #state: BackupState = {};

  constructor(options: BackupOptions) {
    this.#options = options;
    const { everyMs, clock } = options;
    this.intervalMs = everyMs > 0 ? Math.min(everyMs, DAY_MS) : DAY_MS;
    this.#beganMs = clock.monotonicMs();
  }

  /**
   * The next pass makes a copy whatever the schedule says: wake the loop afterwards. Resolves when
   * it is whole, on the nodes too where there are any.
   */
  request(): Promise<BackupState> {
    const asked = deferred<BackupState>();
    this.#asked.push(asked);
    if (this.#closed) this.close();
    return asked.promise;
  }

  /** Call it when no pass is left: whoever asked for a copy hears that none is made. */
  close(): void {
    this.#closed = true;
    for (const { reject } of this.#asked.splice(0)) reject(stopping());
  }

  counts(): JobCounts {
    return { waiting: this.#asked.length, done: this.#made, doneBytes: this.#bytes };
  }

  state(): BackupState {
    return this.#state;
  }

  async pass(signal: AbortSignal): Promise<PassOutcome> {
    const asked = this.#asked.splice(0);
    try {
      const outcome = await this.#copyWhatIsDue(asked.length > 0, signal);
      for (const { resolve } of asked) resolve(this.#state);
      return outcome;
    } catch (error) {
      const failed = error instanceof Error ? error : new Error(String(error));
      const reason = signal.aborted ? stopping() : failed;
      for (const { reject } of asked) reject(reason);
      throw error;
    }
  }

  /** A full disk beside the metadata doesn't keep a copy from the nodes. */
  async #copyWhatIsDue(isAsked: boolean, signal: AbortSignal): Promise<PassOutcome> {
    const { ledger, files, hasNodes } = this.#options;
    const onNodes = await this.#dropUnfinished(await ledger.copies());
    const standing = await files.list();
    this.#note(standing, onNodes);
    const fileDueInMs = isAsked ? 0 : this.#dueInMs(standing.at(-1));
    const nodesDueInMs = !hasNodes() ? Infinity : isAsked ? 0 : this.#dueInMs(onNodes.at(-1));
    const dueInMs = Math.min(fileDueInMs, nodesDueInMs);
    if (dueInMs > 0) return { idleForMs: Math.min(dueInMs, DAY_MS) };
    const madeMs = this.#nextMadeMs([...standing, ...onNodes]);
    const written = await settled(
      fileDueInMs > 0 ? Promise.resolve(standing) : this.#writeFile(madeMs, onNodes),
    );
    if (nodesDueInMs <= 0) {
      signal.throwIfAborted();
      const kept = written.status === "fulfilled" ? written.value : standing;
      const file = written.status === "fulfilled" ? kept.at(-1) : undefined;
      const put = await settled(this.#putOnNodes(file, madeMs, onNodes, signal));
      if (put.status === "fulfilled") this.#note(kept, put.value);
      else if (written.status === "fulfilled") throw put.reason;
      else this.#options.log.warn({ err: put.reason }, "metadata was not copied to the nodes");
    }
    if (written.status === "rejected") throw written.reason;
    return "done";
  }

  /** Due at once: 0 or less. */
  #dueInMs(newest: FileCopy | undefined): number {
    const { everyMs, clock } = this.#options;
    if (everyMs === 0) return DAY_MS;
    const ageMs = newest === undefined ? undefined : this.#ageMs(newest);
    if (ageMs !== undefined) return everyMs - ageMs;
    const firstMs = Math.min(everyMs, COPY_FIRST_AFTER_MS);
    return this.#beganMs + firstMs - clock.monotonicMs();
  }

  /** Undefined where the wall clock was set back since, before this start. */
  #ageMs({ madeMs }: FileCopy): number | undefined {
    const { clock } = this.#options;
    const madeAtMs = this.#madeAtMs.get(madeMs);
    if (madeAtMs !== undefined) return clock.monotonicMs() - madeAtMs;
    const ageMs = clock.nowMs() - madeMs;
    return ageMs < 0 ? undefined : ageMs;
  }

  /** The newest stays the newest where the wall clock was set back. */
  #nextMadeMs(standing: readonly FileCopy[]): number {
    const newestMs = Math.max(...standing.map(({ madeMs }) => madeMs));
    const madeMs = Math.max(this.#options.clock.nowMs(), newestMs + 1);
    const kept = new Set(standing.map((copy) => copy.madeMs));
    for (const known of this.#madeAtMs.keys()) if (!kept.has(known)) this.#madeAtMs.delete(known);
    this.#madeAtMs.set(madeMs, this.#options.clock.monotonicMs());
    return madeMs;
  }

  /** The files that stand then. */
  async #writeFile(madeMs: number, onNodes: readonly NodeCopy[]): Promise<FileCopy[]> {
    const { ledger, files, log } = this.#options;
    const written = await files.write(madeMs, ledger.make(madeMs));
    const kept = await this.#rotate();
    this.#note(kept, onNodes);
    this.#made += 1;
    this.#bytes += written.sizeBytes;
    log.info(written, "metadata was copied to a file");
    return kept;
  }

  async #rotate(): Promise<FileCopy[]> {
    const { files, keep } = this.#options;
    const standing = await files.list();
    const kept = standing.slice(-keep);
    for (const old of standing.slice(0, -keep)) await files.remove(old);
    return kept;
  }

  /**
   * The copies that stand on the nodes then.
   * @param file what is put; without one, what the metadata is now
   */
  async #putOnNodes(
    file: FileCopy | undefined,
    nowMs: number,
    standing: readonly NodeCopy[],
    signal: AbortSignal,
  ): Promise<NodeCopy[]> {
    const { ledger, blocks, files, log } = this.#options;
    const madeMs = file?.madeMs ?? nowMs;
    let copy = await ledger.begin(madeMs);
    const pieces = file === undefined ? ledger.make(madeMs) : files.read(file);
    const writer = new BlockWriter(
      blocks,
      async (part) => {
        copy = await ledger.addPart(copy);
        return ledger.sliceOf(copy, part);
      },
      signal,
    );
    try {
      for await (const piece of pieces) await writer.write(piece);
      await writer.finish();
      const { sizeBytes } = writer;
      const kept = standing.slice(Math.max(0, standing.length + 1 - NODE_COPIES_KEPT));
      const obsolete = standing.filter((old) => !kept.includes(old));
      await ledger.finish(copy, sizeBytes, obsolete);
      this.#made += 1;
      this.#bytes += sizeBytes;
      log.info({ number: copy.number, sizeBytes }, "metadata was copied to the nodes");
      return [...kept, { ...copy, sizeBytes }];
    } catch (error) {
      await writer.settle();
      await ledger.drop(copy);
      throw error;
    }
  }

  /** What an earlier start had begun: its record says so. */
  async #dropUnfinished(copies: readonly NodeCopy[]): Promise<NodeCopy[]> {
    for (const copy of copies) {
      if (copy.sizeBytes === undefined) await this.#options.ledger.drop(copy);
    }
    return copies.filter(({ sizeBytes }) => sizeBytes !== undefined);
  }

  #note(files: readonly FileCopy[], onNodes: readonly NodeCopy[]): void {
    const fileMs = files.at(-1)?.madeMs;
    const nodesMs = onNodes.at(-1)?.madeMs;
    this.#state = {
      ...(fileMs === undefined ? {} : { fileMs }),
      ...(nodesMs === undefined ? {} : { nodesMs }),
    };
  }
}

function stopping(): FsError {
  return new FsError("EAGAIN", "the metadata server is stopping; ask again later");
}

async function settled<T>(work: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [result] = await Promise.allSettled([work]);
  return result;
}

const DAY_MS = 86_400_000;
