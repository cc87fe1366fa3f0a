// Group commit of the index: the changes that come while a transaction is under way share the next
// one, and one that fails takes nothing but its own changes with it.
import type { RootDatabase } from "lmdb";
import { FsError } from "../../domain/errno.ts";
import { MAX_INDEX_BATCH } from "./limits.ts";
import type { Clock } from "../../platform/clock.ts";

export interface IndexChange {
  /** Makes the change's writes; called within a transaction. */
  write: () => void;
  /** Takes back what `write` has done in memory, when the transaction fails. */
  revert: () => void;
}

interface Queued extends IndexChange {
  settle: (error?: FsError) => void;
}

export class IndexWriter {
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #clock: Pick<Clock, "soon">;
  #queue: Queued[] = [];
  #draining = false;

  constructor(root: RootDatabase<Buffer, Buffer>, clock: Pick<Clock, "soon">) {
    this.#clock = clock;
    this.#root = root;
  }

  /**
   * Resolves when the change is committed: a kill of the process can't undo it.
   * @throws FsError ENOSPC, EIO: nothing of it has been done
   */
  apply(change: IndexChange): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error?: FsError): void => {
        if (error === undefined) resolve();
        else reject(error);
      };
      this.#queue.push({ write: change.write, revert: change.revert, settle });
      if (this.#draining) return;
      this.#draining = true;
      // What else this turn of the event loop brings goes along.
      this.#clock.soon(() => void this.#drain());
    });
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0, MAX_INDEX_BATCH);
      const error = await this.#commit(batch);
      if (error !== undefined) for (const change of batch.toReversed()) change.revert();
      for (const change of batch) change.settle(error);
    }
    this.#draining = false;
  }

  async #commit(batch: readonly Queued[]): Promise<FsError | undefined> {
    try {
      await this.#root.batch(() => {
        for (const change of batch) change.write();
      });
      return undefined;
    } catch (error) {
      return indexError(error);
    }
  }
}

async function indexError(error: unknown): Promise<FsError> {
  // lmdb hangs the reason on its error as a promise that is rejected with it.
  const { commitError } = error as { commitError?: Promise<never> };
  const cause: unknown = await Promise.resolve(commitError).catch((reason: unknown) => reason);
  // A short write to a full disk reaches us as EIO (5).
  const full = (cause as { code?: unknown } | undefined)?.code === 28;
  return full
    ? new FsError("ENOSPC", "the disk of the node's index is full", { cause })
    : new FsError("EIO", "the node's index cannot be written", { cause: cause ?? error });
}
