// The write side of one inode: takes bytes, sends blocks, commits extents in write order, one
// commit at a time, and keeps failures until they are told.
import type { Attr, Timespec } from "../../domain/attributes.ts";
import { FsError, isFsError } from "../../domain/errno.ts";
import type { Ino, PoolId } from "../../domain/ids.ts";
import { BLOCK_BYTES, CHUNK_BYTES } from "../../domain/format.ts";
import { MAX_COMMIT_EXTENTS } from "../../protocol/meta/limits.ts";
import { MAX_FILE_BYTES } from "../../domain/limits.ts";
import { MAX_PENDING_SLICES, MAX_UNCOMMITTED_SLICES } from "./limits.ts";
import { DirtySlices } from "./dirty-slices.ts";
import { asFsError, FailureLatch } from "./failure-latch.ts";
import { InodeLock } from "./inode-lock.ts";
import type { PendingSlice } from "./pending-slice.ts";
import { SliceSender, type SenderServices } from "./slice-sender.ts";
import type { Clock } from "../../platform/clock.ts";
import type { AttrRequest, MetaService } from "../../protocol/meta/meta-service.ts";
import type { AskedAt } from "../coherence/own-changes.ts";
import type { FileDurability } from "./file-durability.ts";
import type { MaybePromise } from "../vfs.ts";
import type { Writeback, WritebackTarget } from "./writeback.ts";

/** What the writers of a mount share. */
export interface WriterServices extends SenderServices {
  readonly meta: Pick<MetaService, "commit" | "abandon">;
  readonly beliefs: { askedNow(): AskedAt };
  readonly clock: Clock;
  readonly writeback: Writeback;
  readonly durability: Pick<FileDurability, "secure" | "syncFile">;
}

/** The file as its writer needs it. */
export interface WriterOwner {
  readonly ino: Ino;
  readonly pool: PoolId;
  /** Set when nothing may be written any more. */
  readonly dead: FsError | undefined;
  /**
   * The extents are in the metadata, which now says `attr`; the slices are about to be forgotten.
   */
  committed(attr: Attr, slices: readonly PendingSlice[], asked: AskedAt): void;
  /**
   * What was cached of the file may be wrong: data was lost, or nobody knows if it was committed.
   */
  uncertain(): void;
}

/** A setattr that goes with a commit, and what the server said of it. */
interface RidingChange {
  readonly request: AttrRequest;
  done: boolean;
  refused: FsError | undefined;
}

export class FileWriter implements WritebackTarget {
  readonly lock = new InodeLock();
  readonly failures = new FailureLatch();
  readonly slices: DirtySlices;
  readonly #services: WriterServices;
  readonly #owner: WriterOwner;
  readonly #sender: SliceSender;
  #openSlices = 0;
  #committing = false;
  /** fsyncs under way, which commit themselves. */
  #holds = 0;
  #syncTail: Promise<void> = Promise.resolve();
  /** An fsync that hasn't begun: it serves all who ask until then. */
  #queuedSync: Promise<void> | undefined;
  #waiters: (() => void)[] = [];
  /** To go with the commit of the last that is dirty. */
  #riding: RidingChange | undefined;
  #failure: FsError | undefined;
  #killPrivileges = false;
  #lastWrite: Timespec = { sec: 0, nsec: 0 };
  #lastWriteMs = 0;
  #dirtyEnd = 0;

  constructor(services: WriterServices, owner: WriterOwner) {
    this.#services = services;
    this.#owner = owner;
    this.slices = new DirtySlices(services);
    this.#sender = new SliceSender(services, owner.ino, {
      progress: () => {
        this.#pump();
        this.#pressAfterFailure();
      },
      fail: (error) => this.#fail(error),
    });
  }

  get dirty(): boolean {
    return this.slices.count > 0;
  }

  /** End of the pending bytes in the file; 0 when nothing is pending. */
  get dirtyEnd(): number {
    return this.#dirtyEnd;
  }

  get lastWrite(): Timespec {
    return this.#lastWrite;
  }

  get lastWriteMs(): number {
    return this.#lastWriteMs;
  }

  /** A write since the last commit takes suid and sgid away. */
  get killsPrivileges(): boolean {
    return this.#killPrivileges;
  }

  /** Why data that is still here could not be written. */
  get failure(): FsError | undefined {
    return this.#failure;
  }

  get openBytes(): number {
    let bytes = 0;
    for (const slice of this.slices.slices) bytes += slice.openBytes;
    return bytes;
  }

  get failedBytes(): number {
    if (this.#failure === undefined) return 0;
    let bytes = 0;
    for (const slice of this.slices.slices) if (slice.failure) bytes += slice.heldBytes;
    return bytes;
  }

  /** @throws FsError EFBIG, or the failure of earlier data until flush has told it */
  write(offset: number, data: Uint8Array, killPrivileges: boolean): MaybePromise<number> {
    if (offset + data.length > MAX_FILE_BYTES) {
      throw new FsError("EFBIG", `a file holds at most ${MAX_FILE_BYTES} bytes`);
    }
    if (this.#failure !== undefined) throw this.#failure;
    if (killPrivileges) this.#killPrivileges = true;
    const mustWait =
      !this.lock.open ||
      this.#services.budget.full ||
      this.slices.count >= MAX_UNCOMMITTED_SLICES ||
      data.length > BLOCK_BYTES;
    if (mustWait) return this.#writeLater(offset, data);
    this.#copyIn(offset, data, 0, data.length);
    return data.length;
  }

  /** Sends all that was written and waits for its commit. Failures are in `failures` afterwards. */
  flush(): Promise<void> | undefined {
    if (this.slices.count === 0) return undefined;
    this.sealAll();
    const seq = this.slices.lastSeq;
    return this.slices.unsettled(seq) ? this.#settled(seq) : undefined;
  }

  /**
   * `flush`, and a change of attributes with the last of its commits: one request less, and nobody
   * sees the one without the other. To be called while the lock keeps writes away.
   * @returns false where no commit took it along, which is so when nothing was dirty, or a commit
   * has failed: nothing was asked for then. @throws FsError of setattr
   */
  async flushWith(request: AttrRequest): Promise<boolean> {
    const riding: RidingChange = { request, done: false, refused: undefined };
    this.#riding = riding;
    try {
      await this.flush();
    } finally {
      this.#riding = undefined;
    }
    if (riding.refused !== undefined) throw riding.refused;
    return riding.done;
  }

  /**
   * What the file has by now, whoever wrote it, is on disk, data before metadata. Failures to
   * write are in `failures` afterwards. @throws FsError when the nodes or the server can't make it
   * durable
   */
  sync(): Promise<void> {
    if (this.#queuedSync !== undefined) return this.#queuedSync;
    const run = this.#syncTail.then(() => {
      this.#queuedSync = undefined;
      return this.#syncOnce();
    });
    this.#queuedSync = run;
    this.#syncTail = run.catch(() => undefined);
    return run;
  }

  sealAll(): void {
    if (this.#openSlices > 0) for (const slice of this.slices.open()) this.#seal(slice);
    this.#pump();
  }

  sealBornBefore(bornMs: number): void {
    for (const slice of this.slices.open()) if (slice.bornMs < bornMs) this.#seal(slice);
    this.#pump();
  }

  dropFailed(): void {
    if (this.#failure === undefined) return;
    this.#failure = undefined;
    this.#abandon(this.slices.dropFailed());
    this.#dirtyEnd = 0;
    for (const { chunk, end } of this.slices.slices) {
      this.#dirtyEnd = Math.max(this.#dirtyEnd, chunk * CHUNK_BYTES + end);
    }
    this.#owner.uncertain();
    this.#leaveWhenClean();
    this.#notify();
  }

  async #writeLater(offset: number, data: Uint8Array): Promise<number> {
    const { budget } = this.#services;
    return this.lock.shared(async () => {
      for (let from = 0; from < data.length; from += BLOCK_BYTES) {
        const count = Math.min(BLOCK_BYTES, data.length - from);
        while (this.slices.count >= MAX_UNCOMMITTED_SLICES) await this.#nextChange();
        await budget.reserve(count);
        try {
          if (this.#failure !== undefined) throw this.#failure;
          this.#copyIn(offset + from, data, from, count);
        } finally {
          budget.give(count);
        }
      }
      return data.length;
    });
  }

  #copyIn(offset: number, data: Uint8Array, from: number, count: number): void {
    const nowMs = this.#services.clock.monotonicMs();
    const context = { poolId: this.#owner.pool, nowMs };
    this.#lastWriteMs = nowMs;
    this.#lastWrite = this.#services.clock.now();
    this.#dirtyEnd = Math.max(this.#dirtyEnd, offset + count);
    if (!this.dirty) this.#services.writeback.add(this);
    let done = 0;
    while (done < count) {
      const at = offset + done;
      const chunk = Math.floor(at / CHUNK_BYTES);
      const position = at - chunk * CHUNK_BYTES;
      const wanted = Math.min(count - done, CHUNK_BYTES - position);
      const slice = this.slices.place(chunk, position, wanted, context);
      if (slice.lengthBytes === 0) this.#openSlices += 1;
      const taken = slice.room(position, wanted);
      slice.write(position, data, from + done, taken, (index) => this.#sender.send(slice, index));
      if (slice.full) this.#seal(slice);
      done += taken;
    }
    if (this.#openSlices > MAX_PENDING_SLICES) this.#sealOlderHalf();
  }

  #sealOlderHalf(): void {
    const open = this.slices.open();
    for (const slice of open.slice(0, Math.ceil(open.length / 2))) this.#seal(slice);
    this.#pump();
  }

  #seal(slice: PendingSlice): void {
    if (slice.sealed) return;
    this.#openSlices -= 1;
    this.#sender.finish(slice);
  }

  #fail(error: unknown): FsError {
    const failure = asFsError(error, "writing a block");
    if (this.#failure === undefined) {
      this.#services.log.warn({ err: error, ino: this.#owner.ino }, "file data not written");
    }
    this.#failure = failure;
    this.failures.set(failure);
    return failure;
  }

  #pump(): void {
    if (!this.#committing && this.#holds === 0) {
      const batch = this.slices.nextBatch(Number.MAX_SAFE_INTEGER);
      if (batch.length > 0) void this.#commit(batch, false).then(() => this.#pump());
    }
    this.#notify();
  }

  /** @returns true where the file may have more, from before, that isn't on disk */
  async #commit(batch: readonly PendingSlice[], durable: boolean): Promise<boolean> {
    const killPrivileges = this.#killPrivileges;
    let minSizeBytes = 0;
    for (const { chunk, end } of batch) {
      minSizeBytes = Math.max(minSizeBytes, chunk * CHUNK_BYTES + end);
    }
    const { ino } = this.#owner;
    const extents = batch.map((slice) => slice.toCommit());
    const mtime = this.lastWrite;
    let unsettled = false;
    const riding = batch.length === this.slices.count ? this.#riding : undefined;
    this.#committing = true;
    this.#killPrivileges = false;
    try {
      if (this.#owner.dead !== undefined) throw this.#owner.dead;
      const asked = this.#services.beliefs.askedNow();
      const reply = await this.#services.meta.commit({
        ino,
        extents,
        minSizeBytes,
        mtime,
        killPrivileges,
        durable,
        ...(riding === undefined ? {} : { setattr: riding.request }),
      });
      unsettled = reply.unsettled;
      if (riding !== undefined) {
        riding.done = true;
        riding.refused = reply.refused;
      }
      this.#owner.committed(reply.attr, batch, asked);
      this.slices.remove(batch);
    } catch (error) {
      this.#killPrivileges ||= killPrivileges;
      this.#owner.uncertain();
      if (!isFsError(error, "ESTALE") || !this.#sender.renew(batch)) {
        const failure = this.#fail(error);
        for (const slice of batch) slice.failure = failure;
        this.#pressAfterFailure();
      }
    }
    this.#committing = false;
    this.#leaveWhenClean();
    return unsettled;
  }

  async #syncOnce(): Promise<void> {
    const { durability } = this.#services;
    this.#holds += 1;
    try {
      if (this.#owner.dead !== undefined) throw this.#owner.dead;
      this.sealAll();
      const seq = this.slices.lastSeq;
      // A durable commit is an answer for the whole file.
      let unsettled = true;
      do {
        while (this.#committing || this.slices.unfinished(seq)) await this.#nextChange();
        for (;;) {
          const batch = this.slices.nextBatch(seq);
          if (batch.length === 0) break;
          await durability.secure(batch.flatMap((slice) => slice.putBlocks()));
          unsettled = await this.#commit(batch, true);
        }
        // What a lost session left to be put anew is still to come.
      } while (this.slices.unsettled(seq));
      if (unsettled) await durability.syncFile(this.#owner.ino);
    } finally {
      this.#holds -= 1;
      this.#pump();
    }
  }

  /** Their blocks on the nodes would be garbage for as long as the session lives. */
  #abandon(slices: readonly PendingSlice[]): void {
    const { meta, log } = this.#services;
    const given = slices.filter(({ id, inlineable }) => id !== undefined && !inlineable);
    for (let from = 0; from < given.length; from += MAX_COMMIT_EXTENTS) {
      const some = given.slice(from, from + MAX_COMMIT_EXTENTS);
      meta
        .abandon(some.map((slice) => slice.toCommit()))
        // The session's end does it, too.
        .catch((error: unknown) => log.warn({ err: error }, "slices could not be given up"));
    }
  }

  /** Memory that was about to come free stays taken. */
  #pressAfterFailure(): void {
    if (this.#failure !== undefined) this.#services.budget.press();
  }

  #leaveWhenClean(): void {
    if (this.slices.count > 0) return;
    this.#dirtyEnd = 0;
    this.#services.writeback.remove(this);
  }

  async #settled(seq: number): Promise<void> {
    while (this.slices.unsettled(seq)) await this.#nextChange();
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
    });
  }

  #notify(): void {
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}
