// One open inode: what this mount believes of it, its writer and its reader. Shared by all handles
// of the inode.
import { withoutPrivileges } from "../../domain/attribute-rules.ts";
import type { Attr, AttrChanges, Caller } from "../../domain/attributes.ts";
import type { FsError } from "../../domain/errno.ts";
import type { Ino, PoolId } from "../../domain/ids.ts";
import type { MetaService, OpenReply } from "../../protocol/meta/meta-service.ts";
import type { InodeBeliefs } from "../coherence/inode-beliefs.ts";
import type { AskedAt } from "../coherence/own-changes.ts";
import { FileReader, type ReaderOwner, type ReaderServices } from "../read/file-reader.ts";
import type { MaybePromise } from "../vfs.ts";
import type { DirtySlices } from "../write/dirty-slices.ts";
import { FileWriter, type WriterOwner, type WriterServices } from "../write/file-writer.ts";
import type { PendingSlice } from "../write/pending-slice.ts";

export interface FileServices extends WriterServices, ReaderServices {
  readonly meta: Pick<MetaService, "setattr"> & WriterServices["meta"];
}

export class FileData implements WriterOwner, ReaderOwner {
  readonly ino: Ino;
  readonly pool: PoolId;
  readonly beliefs: InodeBeliefs;
  readonly writer: FileWriter;
  readonly reader: FileReader;
  /** Open handles. */
  handles = 0;
  /** Why no handle works any more: the inode was gone when a lost session was replaced. */
  dead: FsError | undefined;
  readonly #meta: FileServices["meta"];

  constructor(services: FileServices, beliefs: InodeBeliefs, pool: PoolId) {
    this.#meta = services.meta;
    this.ino = beliefs.ino;
    this.pool = pool;
    this.beliefs = beliefs;
    this.writer = new FileWriter(services, this);
    this.reader = new FileReader(services, this);
  }

  get slices(): DirtySlices {
    return this.writer.slices;
  }

  /** Own changes may be under way, or about to be. */
  get changing(): boolean {
    return this.writer.dirty || !this.writer.lock.open;
  }

  get sizeBytes(): number {
    return Math.max(this.beliefs.attr.sizeBytes, this.writer.dirtyEnd);
  }

  /** What stat shows: the server's attributes with dirty data on top. */
  view(): Attr {
    const { writer } = this;
    const { attr } = this.beliefs;
    if (!writer.dirty) return attr;
    const { sec, nsec } = writer.lastWrite;
    return {
      ...attr,
      mode: writer.killsPrivileges ? withoutPrivileges(attr.mode) : attr.mode,
      sizeBytes: this.sizeBytes,
      allocatedBytes: this.#allocatedBytes(),
      mtimeSec: sec,
      mtimeNsec: nsec,
      ctimeSec: sec,
      ctimeNsec: nsec,
    };
  }

  /** `view`, after asking the server unless it was asked a moment ago. */
  getattr(): MaybePromise<Attr> {
    return this.beliefs.fresh ? this.view() : this.refresh();
  }

  /** `view`, after asking the server. @throws FsError of getattr */
  async refresh(): Promise<Attr> {
    await this.beliefs.refresh();
    return this.view();
  }

  async setattr(caller: Caller, changes: AttrChanges, handleOpen: boolean): Promise<Attr> {
    const { sizeBytes } = changes;
    const onlyAtime = Object.keys(changes).every((key) => key === "atime");
    return this.writer.lock.exclusive(async () => {
      if (sizeBytes !== undefined) await this.#settleBefore(sizeBytes);
      else if (!onlyAtime && (await this.writer.flushWith({ caller, changes, handleOpen }))) {
        return this.view();
      }
      const attr = await this.#meta.setattr(caller, this.ino, changes, handleOpen);
      if (sizeBytes === undefined) this.beliefs.changed(attr);
      else this.beliefs.truncated(attr);
      return this.view();
    });
  }

  /** Opens once more with O_TRUNC, in order with the writes. */
  async reopenTruncated(open: () => Promise<OpenReply>): Promise<OpenReply> {
    return this.writer.lock.exclusive(async () => {
      await this.#settleBefore(0);
      const reply = await open();
      this.beliefs.truncated(reply.attr);
      return reply;
    });
  }

  /**
   * A change of the content that the server makes, perhaps in steps, in order with the writes.
   * @throws FsError of `change`, or why earlier writes could not be committed
   */
  async changeContent(change: () => Promise<Attr>): Promise<void> {
    return this.writer.lock.exclusive(async () => {
      await this.#settleBefore(this.sizeBytes + 1);
      try {
        this.beliefs.rearranged(await change());
      } catch (error) {
        this.beliefs.uncertain();
        throw error;
      }
    });
  }

  committed(attr: Attr, slices: readonly PendingSlice[], asked: AskedAt): void {
    const extents = slices.map((slice) => ({ chunk: slice.chunk, extent: slice.toExtent() }));
    this.beliefs.committed(attr, extents, asked);
  }

  uncertain(): void {
    this.beliefs.uncertain();
  }

  /**
   * Dirty bytes count, as if they overlaid none: programs take a file of no blocks for one of no
   * data.
   */
  #allocatedBytes(): number {
    const { allocatedBytes } = this.beliefs.attr;
    const limit = Math.max(allocatedBytes, this.sizeBytes);
    return Math.min(limit, allocatedBytes + this.writer.slices.totalBytes);
  }

  /** Earlier writes must reach the server before a change of the content. */
  async #settleBefore(sizeBytes: number): Promise<void> {
    await this.writer.flush();
    if (sizeBytes === 0) this.writer.dropFailed();
    else if (this.writer.failure !== undefined) throw this.writer.failure;
  }
}
