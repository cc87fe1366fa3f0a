// Turns request bytes into replies: one batch after another, each request by the table of
// operations. Knows no kernel: requests come in a pool, replies go out through a ReplyPort.
import type { Attr } from "../../domain/attributes.ts";
import { ERRNO, FsError } from "../../domain/errno.ts";
import { invariant, passViolation } from "../../domain/invariant.ts";
import type { Ino } from "../../domain/ids.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import type { MaybePromise, Vfs } from "../../vfs/vfs.ts";
import type { PoolLayout, ReplyPort } from "../addon/addon.ts";
import { Frame } from "./frame.ts";
import { encodeInit, negotiate, type InitSettings, type Negotiated } from "./init.ts";
import { InterruptWatch } from "./interrupts.ts";
import { encodeInvalidateInode } from "./notifications.ts";
import type { Operation, OperationContext } from "./operation.ts";
import { ReplyWriter, type ReplyTimeouts } from "./reply-writer.ts";
import { handlerOf } from "./table.ts";
import { ToldAttributes } from "../../vfs/coherence/told-attributes.ts";
import { Validity } from "../../vfs/coherence/validity.ts";
import { NOTIFY_INVAL_INODE, OUT_HEADER_BYTES } from "./wire.ts";

export interface DispatcherOptions {
  readonly vfs: Vfs;
  readonly log: Log;
  readonly clock: Clock;
  readonly layout: PoolLayout;
  readonly timeouts: ReplyTimeouts;
  readonly init: InitSettings;
  /** Whether the thread is being killed and will not see its answer. */
  readonly isDying: (pid: number) => Promise<boolean>;
  /** The kernel has our answer to INIT: the mount works. */
  readonly onInit: (negotiated: Negotiated) => void;
}

/**
 * Slots that long writes may hold; beyond it their data is copied out, so that others are still
 * read.
 */
const MAX_HELD_SLOTS = 48;
/**
 * Such copies at a time. When these are used up too, slots are held to the last and the reader
 * waits.
 */
const MAX_COPIED_REQUESTS = 128;

/** A request whose answer is a promise. */
interface PendingRequest {
  readonly uniqueLow: number;
  readonly uniqueHigh: number;
  readonly pid: number;
  /** Of an operation that can be interrupted. */
  readonly abort: AbortController | undefined;
  /** Answered, by its operation or because its caller is dying. */
  settled: boolean;
}

function keyOf(uniqueLow: number, uniqueHigh: number): number {
  return uniqueHigh * 2 ** 32 + uniqueLow;
}

export class Dispatcher {
  readonly #port: ReplyPort;
  readonly #layout: PoolLayout;
  readonly #batch: Int32Array;
  readonly #frame: Frame;
  readonly #reply: ReplyWriter;
  readonly #context: OperationContext;
  readonly #options: DispatcherOptions;
  readonly #pending = new Map<number, PendingRequest>();
  readonly #interrupts: InterruptWatch<PendingRequest>;
  /** Inodes whose invalidation is still owed to the kernel. */
  readonly #stale = new Set<Ino>();
  #running = 0;
  #heldSlots = 0;
  #copied = 0;
  #slot = 0;
  #batchIndex = 0;
  #whenIdle: (() => void) | undefined;

  constructor(port: ReplyPort, options: DispatcherOptions) {
    const { layout } = options;
    this.#port = port;
    this.#layout = layout;
    this.#options = options;
    this.#batch = new Int32Array(port.pool, layout.batchOffset, layout.batchSize * 2);
    this.#frame = new Frame(port.pool);
    const told = new ToldAttributes(new Validity(options.clock, options.timeouts.attrMs));
    this.#reply = new ReplyWriter(
      port.pool,
      layout.replyOffset,
      layout.replyBytes,
      options.timeouts,
      told,
    );
    this.#context = {
      told,
      vfs: options.vfs,
      directories: new Map(),
      writeback: options.init.writeback,
      copyData: false,
    };
    this.#interrupts = new InterruptWatch(
      options.clock,
      (request) => this.#settle(request, ERRNO.EINTR),
      options.isDying,
    );
  }

  /** Handles the first `count` requests of the batch. A slot still in use gets length 0 there. */
  onBatch(count: number): void {
    for (let i = 0; i < count; i++) {
      this.#batchIndex = i * 2;
      this.#slot = this.#batch[i * 2] ?? 0;
      this.#handle(
        this.#slot * this.#layout.slotStride + this.#layout.slotStart,
        this.#batch[i * 2 + 1] ?? 0,
      );
    }
  }

  /** The connection has ended: nobody waits any more for what may take for ever. */
  interruptAll(): void {
    for (const { abort } of this.#pending.values()) abort?.abort();
  }

  /** Resolves when no operation is under way. */
  idle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  #handle(start: number, lengthBytes: number): void {
    const frame = this.#frame;
    try {
      frame.moveTo(start, lengthBytes);
      const handler = handlerOf(frame.opcode);
      if (handler === undefined) this.#sendError(frame.uniqueLow, frame.uniqueHigh, ERRNO.ENOSYS);
      else handler(this, frame);
    } catch (error) {
      this.#fail(`opcode ${frame.opcode}`, frame.uniqueLow, frame.uniqueHigh, error);
    }
  }

  /** Runs an operation of the table and answers, now or when its promise settles. */
  perform<Result>(operation: Operation<Result>, frame: Frame): void {
    const { uniqueLow, uniqueHigh } = frame;
    const context = this.#context;
    const keeps = operation.keepsData === true;
    context.copyData =
      keeps && this.#heldSlots >= MAX_HELD_SLOTS && this.#copied < MAX_COPIED_REQUESTS;
    const copied = context.copyData;
    const abort = operation.interruptible === true ? new AbortController() : undefined;
    let result: MaybePromise<Result>;
    try {
      if (frame.bodyBytes < operation.minBodyBytes) {
        throw new FsError("EIO", `malformed ${operation.name} of ${frame.bodyBytes} bytes`);
      }
      result = operation.run(context, frame, abort?.signal);
    } catch (error) {
      this.#fail(operation.name, uniqueLow, uniqueHigh, error);
      return;
    }
    if (!(result instanceof Promise)) {
      this.#answer(operation, uniqueLow, uniqueHigh, result);
      return;
    }
    const done = keeps ? this.#hold(copied) : undefined;
    const request = { uniqueLow, uniqueHigh, pid: frame.pid, abort, settled: false };
    this.#await(operation, request, result, done);
  }

  /** A request that has no reply. */
  performSilently(run: (context: OperationContext, frame: Frame) => void, frame: Frame): void {
    try {
      run(this.#context, frame);
    } catch (error) {
      passViolation(error);
      this.#options.log.error({ err: error }, "FUSE request without reply failed");
    }
  }

  init(frame: Frame): void {
    const { init, onInit } = this.#options;
    const negotiated = negotiate(frame, init);
    const length = encodeInit(this.#reply, negotiated);
    const error = this.#send(frame.uniqueLow, frame.uniqueHigh, length);
    if (error !== undefined) {
      throw new FsError("EIO", `the kernel refused the answer to INIT: errno ${error}`);
    }
    if (negotiated.agreed) onInit(negotiated);
  }

  /** The request named in the body has been interrupted; nothing is answered to this one. */
  interrupt(frame: Frame): void {
    const request = this.#pending.get(frame.u64(0));
    if (request === undefined) return;
    request.abort?.abort();
    this.#interrupts.watch(request);
  }

  acknowledge(frame: Frame): void {
    this.#send(frame.uniqueLow, frame.uniqueHigh, 0);
  }

  /** Keeps the current request's slot, unless its data was copied. Returns what ends that. */
  #hold(copied: boolean): () => void {
    if (copied) {
      this.#copied++;
      return () => {
        this.#copied--;
      };
    }
    const slot = this.#slot;
    this.#batch[this.#batchIndex + 1] = 0;
    this.#heldSlots++;
    return () => {
      this.#heldSlots--;
      invariant(this.#heldSlots >= 0, "a slot is given back once", { slot });
      this.#port.release(slot);
    };
  }

  #await<Result>(
    operation: Operation<Result>,
    request: PendingRequest,
    result: Promise<Result>,
    done: (() => void) | undefined,
  ): void {
    const key = keyOf(request.uniqueLow, request.uniqueHigh);
    this.#pending.set(key, request);
    this.#running++;
    const end = (answer: () => void): void => {
      try {
        answer();
      } catch (error) {
        passViolation(error);
        this.#options.log.error({ err: error, operation: operation.name }, "FUSE reply failed");
      }
      request.settled = true;
      this.#pending.delete(key);
      done?.();
      this.#running--;
      if (this.#running === 0) this.#whenIdle?.();
    };
    // One reaction a request: a chain of them costs more than the rest of this method.
    void result.then(
      (value) =>
        end(() => {
          if (request.settled) operation.discard?.(this.#context, value);
          else this.#answer(operation, request.uniqueLow, request.uniqueHigh, value);
        }),
      (error: unknown) =>
        end(() => {
          if (request.settled) return;
          this.#fail(operation.name, request.uniqueLow, request.uniqueHigh, error);
        }),
    );
  }

  #settle(request: PendingRequest, error: number): void {
    request.settled = true;
    this.#sendError(request.uniqueLow, request.uniqueHigh, error);
  }

  #answer<Result>(
    operation: Operation<Result>,
    uniqueLow: number,
    uniqueHigh: number,
    result: Result,
  ): void {
    let error: number | undefined;
    try {
      const settled = operation.settles?.(result);
      if (settled !== undefined && this.#context.told.differs(settled))
        this.#dropAttributes(settled);
      const bodyBytes = operation.encode(this.#reply, result);
      const pieces = operation.pieces?.(result);
      const pages = operation.reliesOnPages?.(result);
      if (pages === undefined) error = this.#send(uniqueLow, uniqueHigh, bodyBytes, pieces);
      else this.#sendBehindInvalidations(pages, uniqueLow, uniqueHigh, bodyBytes);
    } catch (cause) {
      passViolation(cause);
      operation.discard?.(this.#context, result);
      this.#fail(operation.name, uniqueLow, uniqueHigh, cause);
      return;
    }
    if (error === undefined) return;
    operation.discard?.(this.#context, result);
    this.#refused(operation.name, uniqueLow, uniqueHigh, error);
  }

  /**
   * Has the kernel forget the attributes of an inode before it gets an answer about it. Written
   * from this thread, unlike other notifications: without pages to drop it waits for no lock that a
   * request could hold, and the request under way keeps the inode from being evicted.
   */
  #dropAttributes({ ino }: Attr): void {
    let length = this.#reply.putI64(0, ino);
    length = this.#reply.putI64(length, -1);
    length = this.#reply.putI64(length, 0);
    this.#reply.putHeader(OUT_HEADER_BYTES + length, -NOTIFY_INVAL_INODE, 0, 0);
    this.#port.reply(OUT_HEADER_BYTES + length);
    this.#context.told.forget(ino);
  }

  /**
   * By the addon's thread, which writes in order and may wait for pages that this one is about to
   * fill.
   * @throws FsError EAGAIN when the kernel doesn't take them
   */
  #sendBehindInvalidations(
    { ino, stale }: { ino: Ino; stale: boolean },
    uniqueLow: number,
    uniqueHigh: number,
    bodyBytes: number,
  ): void {
    const lengthBytes = OUT_HEADER_BYTES + bodyBytes;
    this.#reply.putHeader(lengthBytes, 0, uniqueLow, uniqueHigh);
    const reply = new Uint8Array(this.#port.pool, this.#layout.replyOffset, lengthBytes);
    if (stale) this.#stale.add(ino);
    if (this.#stale.has(ino) && this.#port.notify(encodeInvalidateInode(ino))) {
      this.#stale.delete(ino);
      this.#context.told.forget(ino);
    }
    if (!this.#stale.has(ino) && this.#port.notify(reply)) return;
    throw new FsError("EAGAIN", "the kernel takes no cache invalidations");
  }

  /** ENOENT: the request is gone, its caller killed or the connection ended. */
  #refused(name: string, uniqueLow: number, uniqueHigh: number, error: number): void {
    if (error === ERRNO.ENOENT || error === ERRNO.ENODEV) return;
    this.#options.log.error({ operation: name, errno: error }, "the kernel refused a FUSE reply");
    this.#sendError(uniqueLow, uniqueHigh, ERRNO.EIO);
  }

  #fail(name: string, uniqueLow: number, uniqueHigh: number, error: unknown): void {
    if (error instanceof FsError) {
      this.#sendError(uniqueLow, uniqueHigh, error.errno);
      return;
    }
    passViolation(error);
    this.#options.log.error({ err: error, operation: name }, "FUSE operation failed unexpectedly");
    this.#sendError(uniqueLow, uniqueHigh, ERRNO.EIO);
  }

  #sendError(uniqueLow: number, uniqueHigh: number, error: number): void {
    this.#reply.putHeader(OUT_HEADER_BYTES, error, uniqueLow, uniqueHigh);
    this.#port.reply(OUT_HEADER_BYTES);
  }

  #send(
    uniqueLow: number,
    uniqueHigh: number,
    bodyBytes: number,
    pieces?: readonly Uint8Array[],
  ): number | undefined {
    const headBytes = OUT_HEADER_BYTES + bodyBytes;
    if (pieces === undefined) {
      this.#reply.putHeader(headBytes, 0, uniqueLow, uniqueHigh);
      return this.#port.reply(headBytes);
    }
    let total = headBytes;
    for (const piece of pieces) total += piece.length;
    this.#reply.putHeader(total, 0, uniqueLow, uniqueHigh);
    return this.#port.replyData(headBytes, pieces);
  }
}
