// Blocks that this mount wrote and no fsync has made durable yet, by inode. They outlive the file's last
// close, because fsync through a later handle must cover them.
import type { BlockStore } from "../client/block-store.ts";
import type { Ino } from "../domain/ids.ts";
import type { BlockRef } from "../domain/layout.ts";
import { MAX_SYNC_BLOCKS } from "../domain/limits.ts";
import type { Log } from "../observability/log.ts";

export class UnsyncedBlocks {
  readonly #blocks: Pick<BlockStore, "syncBlocks">;
  readonly #log: Log;
  readonly #maxBlocks: number;
  readonly #byIno = new Map<Ino, BlockRef[]>();
  readonly #underWay = new Map<Ino, Promise<void>>();
  #count = 0;
  #trimming = false;

  constructor(blocks: Pick<BlockStore, "syncBlocks">, log: Log, maxBlocks: number) {
    this.#blocks = blocks;
    this.#log = log;
    this.#maxBlocks = maxBlocks;
  }

  get count(): number {
    return this.#count;
  }

  add(ino: Ino, ref: BlockRef): void {
    const refs = this.#byIno.get(ino);
    if (refs === undefined) this.#byIno.set(ino, [ref]);
    else refs.push(ref);
    this.#count += 1;
    if (this.#count > this.#maxBlocks && !this.#trimming) void this.#trim();
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
    const taken = new Map<Ino, BlockRef[]>();
    for (const ino of inos) {
      const refs = this.#byIno.get(ino);
      if (refs === undefined) continue;
      taken.set(ino, refs);
      this.#byIno.delete(ino);
      this.#count -= refs.length;
    }
    const run = this.#send([...taken.values()].flat());
    for (const ino of taken.keys()) this.#underWay.set(ino, run);
    try {
      await run;
    } catch (error) {
      for (const [ino, refs] of taken) this.#putBack(ino, refs);
      throw error;
    } finally {
      for (const ino of taken.keys()) {
        if (this.#underWay.get(ino) === run) this.#underWay.delete(ino);
      }
    }
  }

  async #send(refs: readonly BlockRef[]): Promise<void> {
    for (let from = 0; from < refs.length; from += MAX_SYNC_BLOCKS) {
      await this.#blocks.syncBlocks(refs.slice(from, from + MAX_SYNC_BLOCKS));
    }
  }

  #putBack(ino: Ino, refs: readonly BlockRef[]): void {
    this.#byIno.set(ino, [...refs, ...(this.#byIno.get(ino) ?? [])]);
    this.#count += refs.length;
  }

  /** Too many to remember: the oldest are made durable without being asked for. */
  async #trim(): Promise<void> {
    this.#trimming = true;
    try {
      while (this.#count > this.#maxBlocks) {
        const [oldest] = this.#byIno.keys();
        if (oldest === undefined) return;
        await this.sync(oldest);
      }
    } catch (error) {
      this.#log.warn({ err: error }, "blocks could not be made durable ahead of an fsync");
    } finally {
      this.#trimming = false;
    }
  }
}
