// Blocks that this mount wrote and no fsync has made durable yet, by inode. They outlive the file's
// last close, because fsync through a later handle must cover them.
import type { BlockStore } from "../../stripes/block-store.ts";
import { isFsError } from "../../domain/errno.ts";
import type { Ino, SliceId } from "../../domain/ids.ts";
import type { BlockRef } from "../../domain/layout.ts";
import { MAX_EXTENTS_AGE_MS } from "../coherence/limits.ts";
import { MAX_SYNC_BLOCKS } from "../../stripes/limits.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import type { MetaService } from "../../protocol/meta/meta-service.ts";

/** The pending slice that a block is part of. */
export interface BlockOwner {
  readonly chunk: number;
  /** Committed, or given up: from then on the metadata says whether its bytes are needed. */
  readonly settled: boolean;
}

interface Unsynced {
  readonly ref: BlockRef;
  readonly owner: BlockOwner;
  readonly addedMs: number;
}

export interface UnsyncedBlocksOptions {
  readonly blocks: Pick<BlockStore, "syncBlocks">;
  readonly meta: Pick<MetaService, "extents">;
  readonly clock: Clock;
  readonly log: Log;
  readonly maxBlocks: number;
}

export class UnsyncedBlocks {
  readonly #options: UnsyncedBlocksOptions;
  readonly #byIno = new Map<Ino, Unsynced[]>();
  readonly #underWay = new Map<Ino, Promise<void>>();
  #count = 0;
  #trimming = false;

  constructor(options: UnsyncedBlocksOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#count;
  }

  add(ino: Ino, ref: BlockRef, owner: BlockOwner): void {
    const added = { ref, owner, addedMs: this.#options.clock.monotonicMs() };
    const blocks = this.#byIno.get(ino);
    if (blocks === undefined) this.#byIno.set(ino, [added]);
    else blocks.push(added);
    this.#count += 1;
    if (this.#count > this.#options.maxBlocks && !this.#trimming) void this.#trim();
  }

  /** Makes the inode's blocks durable. @throws FsError of syncBlocks; they stay unsynced then */
  sync(ino: Ino): Promise<void> {
    return this.#syncOf([ino]);
  }

  /** @throws FsError of syncBlocks */
  syncAll(): Promise<void> {
    return this.#syncOf([...new Set([...this.#byIno.keys(), ...this.#underWay.keys()])]);
  }

  async #syncOf(inos: readonly Ino[]): Promise<void> {
    // What another sync has taken must be durable too before this one answers.
    for (;;) {
      const busy = inos.find((ino) => this.#underWay.has(ino));
      if (busy === undefined) break;
      await this.#underWay.get(busy)?.catch(() => undefined);
    }
    const taken = new Map<Ino, Unsynced[]>();
    for (const ino of inos) {
      const blocks = this.#byIno.get(ino);
      if (blocks === undefined) continue;
      taken.set(ino, blocks);
      this.#byIno.delete(ino);
      this.#count -= blocks.length;
    }
    const run = this.#sendNeeded(taken);
    for (const ino of taken.keys()) this.#underWay.set(ino, run);
    try {
      await run;
    } catch (error) {
      for (const [ino, blocks] of taken) this.#putBack(ino, blocks);
      throw error;
    } finally {
      for (const ino of taken.keys()) {
        if (this.#underWay.get(ino) === run) this.#underWay.delete(ino);
      }
    }
  }

  /**
   * What was overwritten, deleted or moved meanwhile is collected after a grace and can't be made
   * durable any more; nor need it be. So whether old blocks are still cited is asked beforehand.
   */
  async #sendNeeded(taken: ReadonlyMap<Ino, readonly Unsynced[]>): Promise<void> {
    const needed = await this.#needed(taken, MAX_EXTENTS_AGE_MS);
    try {
      await this.#send(needed);
    } catch (error) {
      if (!isFsError(error, "EIO")) throw error;
      const rest = await this.#needed(needed, 0);
      if (countOf(rest) === countOf(needed)) throw error;
      await this.#send(rest);
    }
  }

  async #send(blocks: ReadonlyMap<Ino, readonly Unsynced[]>): Promise<void> {
    const refs = [...blocks.values()].flat().map(({ ref }) => ref);
    for (let from = 0; from < refs.length; from += MAX_SYNC_BLOCKS) {
      await this.#options.blocks.syncBlocks(refs.slice(from, from + MAX_SYNC_BLOCKS));
    }
  }

  /** Without settled blocks of at least that age that the file doesn't cite. */
  async #needed(
    taken: ReadonlyMap<Ino, readonly Unsynced[]>,
    ageMs: number,
  ): Promise<Map<Ino, readonly Unsynced[]>> {
    const nowMs = this.#options.clock.monotonicMs();
    const needed = new Map<Ino, readonly Unsynced[]>();
    for (const [ino, blocks] of taken) {
      const doubtful = blocks.filter(
        ({ owner, addedMs }) => owner.settled && nowMs - addedMs >= ageMs,
      );
      if (doubtful.length === 0) {
        needed.set(ino, blocks);
        continue;
      }
      const chunks = new Set(doubtful.map(({ owner }) => owner.chunk));
      const cited = await this.#citedSlices(ino, [...chunks]);
      const gone = new Set(doubtful.filter(({ ref }) => !cited.has(ref.slice)));
      needed.set(
        ino,
        blocks.filter((block) => !gone.has(block)),
      );
    }
    return needed;
  }

  async #citedSlices(ino: Ino, chunks: readonly number[]): Promise<ReadonlySet<SliceId>> {
    const cited = new Set<SliceId>();
    try {
      // One at a time: a reply brings a chunk's inline bytes along.
      for (const chunk of chunks) {
        for (const { extents } of await this.#options.meta.extents(ino, [chunk])) {
          for (const { slice } of extents) cited.add(slice);
        }
      }
    } catch (error) {
      // The file is gone: nobody will miss it after a power cut.
      if (!isFsError(error, "ENOENT")) throw error;
    }
    return cited;
  }

  #putBack(ino: Ino, blocks: readonly Unsynced[]): void {
    this.#byIno.set(ino, [...blocks, ...(this.#byIno.get(ino) ?? [])]);
    this.#count += blocks.length;
  }

  /** Too many to remember: the oldest are made durable without being asked for. */
  async #trim(): Promise<void> {
    this.#trimming = true;
    try {
      while (this.#count > this.#options.maxBlocks) {
        const [oldest] = this.#byIno.keys();
        if (oldest === undefined) return;
        await this.sync(oldest);
      }
    } catch (error) {
      this.#options.log.warn({ err: error }, "blocks could not be made durable ahead of an fsync");
    } finally {
      this.#trimming = false;
    }
  }
}

function countOf(blocks: ReadonlyMap<Ino, readonly Unsynced[]>): number {
  return [...blocks.values()].reduce((sum, { length }) => sum + length, 0);
}
