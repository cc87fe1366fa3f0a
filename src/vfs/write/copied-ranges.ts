// Ranges that files of this mount were given by reference and no fsync has covered yet. Their bytes
// were written elsewhere, by another client perhaps, so an fsync must have the nodes make them
// durable too.
import type { BlockStore } from "../../stripes/block-store.ts";
import { isFsError } from "../../domain/errno.ts";
import type { Ino } from "../../domain/ids.ts";
import { type BlockRef, chunkIndex } from "../../domain/layout.ts";
import { CHUNK_BYTES } from "../../domain/format.ts";
import { MAX_COPIED_INODES } from "./limits.ts";
import { MAX_SYNC_BLOCKS } from "../../stripes/limits.ts";
import type { Log } from "../../observability/log.ts";
import type { MetaService } from "../../protocol/meta/meta-service.ts";
import { blockAt, type Geometry } from "../geometry.ts";

interface Range {
  from: number;
  to: number;
}

export class CopiedRanges {
  readonly #meta: MetaService;
  readonly #blocks: Pick<BlockStore, "syncBlocks">;
  readonly #log: Log;
  readonly #geometry: Geometry;
  readonly #byIno = new Map<Ino, Range>();
  readonly #underWay = new Map<Ino, Promise<void>>();

  constructor(
    meta: MetaService,
    blocks: Pick<BlockStore, "syncBlocks">,
    log: Log,
    geometry: Geometry,
  ) {
    this.#meta = meta;
    this.#blocks = blocks;
    this.#log = log;
    this.#geometry = geometry;
  }

  /** The inode cites others' slices in [from, to); one range is kept that spans all. */
  add(ino: Ino, from: number, to: number): void {
    if (from >= to) return;
    const known = this.#byIno.get(ino);
    const range = { from: Math.min(from, known?.from ?? from), to: Math.max(to, known?.to ?? to) };
    this.#byIno.set(ino, range);
    if (this.#byIno.size <= MAX_COPIED_INODES) return;
    const [oldest] = this.#byIno.keys();
    if (oldest === undefined) return;
    // Too many to remember: the oldest becomes durable without being asked for.
    this.sync(oldest).catch((error: unknown) => {
      this.#log.warn({ err: error, ino: oldest }, "copied data could not be made durable early");
    });
  }

  /** @throws FsError of syncBlocks or of the metadata server; the range stays unsynced then */
  async sync(ino: Ino): Promise<void> {
    // What another sync has taken must be durable too before this one answers.
    for (;;) {
      const busy = this.#underWay.get(ino);
      if (busy === undefined) break;
      await busy.catch(() => undefined);
    }
    const range = this.#byIno.get(ino);
    if (range === undefined) return;
    this.#byIno.delete(ino);
    const run = this.#makeDurable(ino, range);
    this.#underWay.set(ino, run);
    try {
      await run;
    } catch (error) {
      this.add(ino, range.from, range.to);
      throw error;
    } finally {
      this.#underWay.delete(ino);
    }
  }

  /** @throws FsError as sync does */
  async syncAll(): Promise<void> {
    for (const ino of new Set([...this.#byIno.keys(), ...this.#underWay.keys()])) {
      await this.sync(ino);
    }
  }

  async #makeDurable(ino: Ino, range: Range): Promise<void> {
    const refs = new Map<string, BlockRef>();
    try {
      for (let at = range.from; at < range.to;) {
        const run = await this.#meta.nextData(ino, at);
        if (run.from >= run.to || run.from >= range.to) break;
        const chunk = chunkIndex(run.from);
        await this.#collect(ino, chunk, refs);
        if (refs.size >= MAX_SYNC_BLOCKS) await this.#send(refs);
        at = (chunk + 1) * CHUNK_BYTES;
      }
    } catch (error) {
      // The file is gone: nobody will miss it after a power cut.
      if (!isFsError(error, "ENOENT")) throw error;
      return;
    }
    await this.#send(refs);
  }

  async #collect(ino: Ino, chunk: number, refs: Map<string, BlockRef>): Promise<void> {
    const [reply] = await this.#meta.extents(ino, [chunk]);
    for (const extent of reply?.extents ?? []) {
      if (extent.location === undefined) continue;
      const end = extent.posInChunk + extent.lengthBytes;
      for (let at = extent.posInChunk; at < end;) {
        const { ref, offsetBytes } = blockAt(extent, at, this.#geometry);
        refs.set(`${ref.pool} ${ref.slice} ${ref.index}`, ref);
        at += ref.lengthBytes - offsetBytes;
      }
    }
  }

  async #send(refs: Map<string, BlockRef>): Promise<void> {
    const all = [...refs.values()];
    refs.clear();
    for (let from = 0; from < all.length; from += MAX_SYNC_BLOCKS) {
      await this.#blocks.syncBlocks(all.slice(from, from + MAX_SYNC_BLOCKS));
    }
  }
}
