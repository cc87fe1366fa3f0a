// Blocks that this mount wrote and no fsync has made durable yet, by inode. They outlive the file's last
// close, because fsync through a later handle must cover them.
import type { BlockStore } from "../client/block-store.ts";
import type { Ino } from "../domain/ids.ts";
import type { BlockRef } from "../domain/layout.ts";
import { MAX_SYNC_BLOCKS } from "../domain/limits.ts";
import type { Log } from "../observability/log.ts";

export class UnsyncedBlocks {
  readonly #blocks: BlockStore;
  readonly #log: Log;
  readonly #maxBlocks: number;
  readonly #byIno = new Map<Ino, BlockRef[]>();
  #count = 0;
  #trimming = false;

  constructor(blocks: BlockStore, log: Log, maxBlocks: number) {
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
  async sync(ino: Ino): Promise<void> {
    const refs = this.#byIno.get(ino);
    if (refs === undefined) return;
    this.#byIno.delete(ino);
    this.#count -= refs.length;
    try {
      for (let from = 0; from < refs.length; from += MAX_SYNC_BLOCKS) {
        await this.#blocks.syncBlocks(refs.slice(from, from + MAX_SYNC_BLOCKS));
      }
    } catch (error) {
      this.#byIno.set(ino, [...refs, ...(this.#byIno.get(ino) ?? [])]);
      this.#count += refs.length;
      throw error;
    }
  }

  /** @throws FsError of the first syncBlocks that fails */
  async syncAll(): Promise<void> {
    for (const ino of [...this.#byIno.keys()]) await this.sync(ino);
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
