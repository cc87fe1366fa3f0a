// Copies of the metadata on a schedule: a file beside it, against what a bug or a flipped bit does
// to it, and the same bytes as coded blocks on the storage nodes, against the loss of its disk.
// Older ones go when newer ones are whole.
import { deferred, type Deferred } from "../../platform/flow/deferred.ts";
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
  #made = 0;
  #bytes = 0;
  #asked: Deferred<BackupState>[] = [];
  #state: BackupState = {};

  constructor(options: BackupOptions) {
    this.#options = options;
    const { everyMs, clock } = options;
    this.intervalMs = everyMs > 0 ? everyMs : DAY_MS;
    this.#beganMs = clock.monotonicMs();
  }

  /**
   * The next pass makes a copy whatever the schedule says: wake the loop afterwards. Resolves when
   * it is whole, on the nodes too where there are any.
   */
  request(): Promise<BackupState> {
    const asked = deferred<BackupState>();
    this.#asked.push(asked);
    return asked.promise;
  }

  counts(): JobCounts {
    return { waiting: this.#asked.length, done: this.#made, doneBytes: this.#bytes };
  }

  state(): BackupState {
    return this.#state;
  }

  async pass(signal: AbortSignal): Promise<PassOutcome> {
    const { files, ledger } = this.#options;
    const onNodes = await this.#dropUnfinished(await ledger.copies());
    const standing = await files.list();
    this.#note(standing, onNodes);
    const dueInMs = this.#dueInMs(standing.at(-1));
    const asked = this.#asked;
    if (asked.length === 0 && dueInMs > 0) return { againAfterMs: dueInMs };
    this.#asked = [];
    try {
      await this.#makeBoth(onNodes, signal);
    } catch (error) {
      const reason = error instanceof Error ? error : new Error(String(error));
      for (const { reject } of asked) reject(reason);
      throw error;
    }
    for (const { resolve } of asked) resolve(this.#state);
    return "done";
  }

  /** Due at once: 0 or less. */
  #dueInMs(newest: FileCopy | undefined): number {
    const { everyMs, clock } = this.#options;
    if (everyMs === 0) return DAY_MS;
    if (newest !== undefined) return newest.madeMs + everyMs - clock.nowMs();
    const firstMs = Math.min(everyMs, COPY_FIRST_AFTER_MS);
    return this.#beganMs + firstMs - clock.monotonicMs();
  }

  /** A full disk beside the metadata doesn't keep a copy from the nodes. */
  async #makeBoth(onNodes: readonly NodeCopy[], signal: AbortSignal): Promise<void> {
    const { ledger, files, hasNodes, clock } = this.#options;
    const madeMs = clock.nowMs();
    const written = await settled(files.write(madeMs, ledger.make(madeMs)));
    const kept = await this.#rotate();
    this.#note(kept, onNodes);
    if (hasNodes()) {
      const pieces = written.status === "fulfilled" ? files.read({ madeMs }) : ledger.make(madeMs);
      this.#note(kept, await this.#putOnNodes(madeMs, pieces, onNodes, signal));
    }
    if (written.status === "rejected") throw written.reason;
    this.#made += 1;
    this.#bytes += written.value.sizeBytes;
    this.#options.log.info(written.value, "metadata was copied");
  }

  async #rotate(): Promise<FileCopy[]> {
    const { files, keep } = this.#options;
    const standing = await files.list();
    const kept = standing.slice(-keep);
    for (const old of standing.slice(0, -keep)) await files.remove(old);
    return kept;
  }

  async #putOnNodes(
    madeMs: number,
    pieces: AsyncIterable<Buffer>,
    standing: readonly NodeCopy[],
    signal: AbortSignal,
  ): Promise<NodeCopy[]> {
    const { ledger, blocks } = this.#options;
    let copy = await ledger.begin(madeMs);
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

async function settled<T>(work: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [result] = await Promise.allSettled([work]);
  return result;
}

const DAY_MS = 86_400_000;
