// Has blocks on the nodes' disks: those about to be committed, and those that the metadata server
// tells of, whoever wrote them. With patience: where a node has just died, the others can't make up
// for it before the cluster map calls it down, and an fsync that failed meanwhile would be a false
// alarm that databases die of.
import { FsError, isFsError } from "../../domain/errno.ts";
import type { Ino, SliceId } from "../../domain/ids.ts";
import { sliceBlocks, type BlockRef } from "../../domain/layout.ts";
import type { Clock } from "../../platform/clock.ts";
import type {
  MetaService,
  SlicePlace,
  UnsettledPage,
  UnsettledSlice,
} from "../../protocol/meta/meta-service.ts";
import type { BlockStore } from "../../stripes/block-store.ts";
import { MAX_SYNC_BLOCKS } from "../../stripes/limits.ts";
import type { Geometry } from "../geometry.ts";
import { PUT_RETRY_TIMEOUT_MS, SYNC_RETRY_CADENCE_MS } from "./limits.ts";

export interface DurabilityServices {
  readonly meta: Pick<MetaService, "syncFile" | "syncSession" | "settle">;
  readonly blocks: Pick<BlockStore, "syncBlocks">;
  readonly clock: Clock;
  readonly geometry: Geometry;
}

export class FileDurability {
  readonly #services: DurabilityServices;

  constructor(services: DurabilityServices) {
    this.#services = services;
  }

  /** @throws FsError of syncBlocks when it goes on failing for as long as a put may */
  secure(refs: readonly BlockRef[]): Promise<void> {
    return this.#patiently(() => this.#syncBlocks(refs));
  }

  /**
   * All that the file cites by now is on disk, and so is the metadata.
   * @throws FsError EIO (the file is gone, blocks can't be made durable), ETIMEDOUT
   */
  async syncFile(ino: Ino): Promise<void> {
    const { meta } = this.#services;
    try {
      await this.#settleAll((after) => meta.syncFile(ino, after?.slice ?? (0 as SliceId)));
    } catch (error) {
      if (!isFsError(error, "ENOENT")) throw error;
      throw new FsError("EIO", `inode ${ino} is gone from the metadata server`, { cause: error });
    }
  }

  /** The same for all that this client committed. @throws FsError EIO, ETIMEDOUT */
  syncSession(): Promise<void> {
    return this.#settleAll((after) => this.#services.meta.syncSession(after));
  }

  async #settleAll(ask: (after: SlicePlace | undefined) => Promise<UnsettledPage>): Promise<void> {
    let after: SlicePlace | undefined;
    do {
      // Asked anew each time: what was overwritten or deleted meanwhile can't be made durable any
      // more, nor need it be.
      const from = after;
      await this.#patiently(async () => {
        const { slices, next } = await ask(from);
        await this.#settle(slices);
        after = next;
      });
    } while (after !== undefined);
  }

  async #settle(slices: readonly UnsettledSlice[]): Promise<void> {
    if (slices.length === 0) return;
    const { geometry, meta } = this.#services;
    await this.#syncBlocks(slices.flatMap((slice) => sliceBlocks(slice, geometry.blockBytes)));
    await meta.settle(slices.map(({ ino, slice }) => ({ ino, slice })));
  }

  async #syncBlocks(refs: readonly BlockRef[]): Promise<void> {
    for (let from = 0; from < refs.length; from += MAX_SYNC_BLOCKS) {
      await this.#services.blocks.syncBlocks(refs.slice(from, from + MAX_SYNC_BLOCKS));
    }
  }

  async #patiently(act: () => Promise<void>): Promise<void> {
    const { clock } = this.#services;
    const beganMs = clock.monotonicMs();
    for (;;) {
      try {
        await act();
        return;
      } catch (error) {
        const waitedMs = clock.monotonicMs() - beganMs;
        if (!isFsError(error, "EIO", "ETIMEDOUT") || waitedMs >= PUT_RETRY_TIMEOUT_MS) throw error;
      }
      await clock.sleep(SYNC_RETRY_CADENCE_MS);
    }
  }
}
