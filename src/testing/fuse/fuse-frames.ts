// FUSE requests made by hand from the structs of linux/fuse.h, and a channel without a kernel to
// put them through: a pool, one slot a request, and a list of what was replied.
import { silentLog, type Log } from "../../observability/log.ts";
import type { PoolLayout, ReplyPort } from "../../fuse/addon/addon.ts";
import { Dispatcher } from "../../fuse/channel/dispatcher.ts";
import type { Vfs } from "../../vfs/vfs.ts";
import { FakeClock } from "../fake-clock.ts";

const STRIDE = 72 * 1024;
const SLOTS = 64;
export const FRAME_LAYOUT: PoolLayout = {
  slotCount: SLOTS,
  slotStride: STRIDE,
  slotStart: 16,
  replyOffset: SLOTS * STRIDE,
  replyBytes: STRIDE,
  batchOffset: SLOTS * STRIDE + STRIDE,
  batchSize: 32,
  poolBytes: SLOTS * STRIDE + STRIDE + 4096,
};

/** A field of a struct: a number and its width in bytes, or bytes as they are. */
export type Field = readonly [value: number, bytes: 2 | 4 | 8] | Uint8Array;

export const u16 = (value: number): Field => [value, 2];
export const u32 = (value: number): Field => [value, 4];
export const u64 = (value: number): Field => [value, 8];
/** Bytes with the NUL that ends a name. */
export const text = (latin1: string): Field => Buffer.from(`${latin1}\0`, "latin1");

export function pack(...fields: readonly Field[]): Buffer {
  return Buffer.concat(
    fields.map((field) => {
      if (field instanceof Uint8Array) return field;
      const [value, bytes] = field;
      const buffer = Buffer.alloc(bytes);
      if (bytes === 8) buffer.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
      else if (bytes === 4) buffer.writeUInt32LE(value >>> 0);
      else buffer.writeUInt16LE(value);
      return buffer;
    }),
  );
}

export interface RequestHead {
  readonly unique?: number;
  readonly nodeid?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly pid?: number;
}

/** struct fuse_in_header and what follows it. */
export function requestFrame(opcode: number, body: Uint8Array, head: RequestHead = {}): Buffer {
  const { unique = 2, nodeid = 1, uid = 1000, gid = 100, pid = 4242 } = head;
  return pack(
    u32(40 + body.length),
    u32(opcode),
    u64(unique),
    u64(nodeid),
    u32(uid),
    u32(gid),
    u32(pid),
    u32(0),
    body,
  );
}

export interface Reply {
  readonly unique: number;
  /** Negative errno, or 0. */
  readonly error: number;
  readonly body: Buffer;
}

export class FramePort implements ReplyPort {
  readonly pool = new ArrayBuffer(FRAME_LAYOUT.poolBytes);
  readonly replies: Reply[] = [];
  readonly released: number[] = [];
  /** Errnos that the next sends are refused with. */
  readonly refusals: number[] = [];

  reply(lengthBytes: number): number | undefined {
    return this.replyData(lengthBytes, []);
  }

  replyData(headBytes: number, pieces: readonly Uint8Array[]): number | undefined {
    const refusal = this.refusals.shift();
    if (refusal !== undefined) return refusal;
    const head = Buffer.from(this.pool, FRAME_LAYOUT.replyOffset, headBytes);
    const whole = Buffer.concat([head, ...pieces]);
    if (whole.readUInt32LE(0) !== whole.length) throw new Error("reply of a wrong length");
    this.replies.push({
      unique: Number(whole.readBigUInt64LE(8)),
      error: whole.readInt32LE(4),
      body: whole.subarray(16),
    });
    return undefined;
  }

  release(slot: number): void {
    this.released.push(slot);
  }

  /** Messages of the addon's thread; replies among them count as replies, too. */
  readonly notified: Buffer[] = [];

  notify(message: Uint8Array): boolean {
    const copy = Buffer.from(message);
    this.notified.push(copy);
    if (copy.readBigUInt64LE(8) !== 0n) {
      this.replies.push({
        unique: Number(copy.readBigUInt64LE(8)),
        error: copy.readInt32LE(4),
        body: copy.subarray(16),
      });
    }
    return true;
  }
}

export interface Call {
  readonly method: string;
  readonly args: readonly unknown[];
}

/** Methods that a Vfs may lack; the recording one has those that it has an answer for. */
const OPTIONAL_METHODS = new Set(["getlk", "setlk"]);

/**
 * A Vfs that notes its calls and answers each method with what `answers` has: a value or a
 * function.
 */
export function recordingVfs(answers: Readonly<Record<string, unknown>>): {
  readonly vfs: Vfs;
  readonly calls: Call[];
} {
  const calls: Call[] = [];
  const target = {} as Vfs;
  const vfs = new Proxy(target, {
    get: (_target, property) => {
      const answer = answers[String(property)];
      if (OPTIONAL_METHODS.has(String(property)) && answer === undefined) return undefined;
      return (...args: unknown[]): unknown => {
        calls.push({ method: String(property), args });
        return typeof answer === "function"
          ? (Reflect.apply(answer, undefined, args) as unknown)
          : answer;
      };
    },
  });
  return { vfs, calls };
}

export interface FrameChannelOptions {
  readonly writeback?: boolean;
  readonly log?: Log;
  /** Thread ids that are being killed. */
  readonly dying?: ReadonlySet<number>;
}

/** A dispatcher over `vfs`, fed with frames. */
export class FrameChannel {
  readonly port = new FramePort();
  readonly clock = new FakeClock();
  readonly dispatcher: Dispatcher;
  readonly #free = Array.from({ length: SLOTS }, (_, slot) => SLOTS - 1 - slot);
  initialized = 0;

  constructor(vfs: Vfs, options: FrameChannelOptions = {}) {
    this.dispatcher = new Dispatcher(this.port, {
      vfs,
      log: options.log ?? silentLog,
      clock: this.clock,
      layout: FRAME_LAYOUT,
      timeouts: { attrMs: 1500, entryMs: 2000 },
      init: {
        writeback: options.writeback ?? false,
        locks: vfs.setlk !== undefined,
      },
      isDying: (pid) => Promise.resolve(options.dying?.has(pid) === true),
      onInit: () => this.initialized++,
    });
  }

  /** Puts a batch through and returns how many slots the dispatcher keeps of it. */
  feed(...frames: readonly Uint8Array[]): number {
    const batch = new Int32Array(this.port.pool, FRAME_LAYOUT.batchOffset, 64);
    frames.forEach((frame, index) => {
      const slot = this.#free.pop();
      if (slot === undefined) throw new Error("no free slot");
      const start = slot * FRAME_LAYOUT.slotStride + FRAME_LAYOUT.slotStart;
      Buffer.from(this.port.pool).set(frame, start);
      batch[index * 2] = slot;
      batch[index * 2 + 1] = frame.length;
    });
    this.dispatcher.onBatch(frames.length);
    let kept = 0;
    frames.forEach((_, index) => {
      if (batch[index * 2 + 1] === 0) kept++;
      else this.#free.push(batch[index * 2] ?? 0);
    });
    return kept;
  }

  /** One request; its reply, or undefined when none came at once. */
  exchange(opcode: number, body: Uint8Array, head: RequestHead = {}): Reply | undefined {
    const before = this.port.replies.length;
    this.feed(requestFrame(opcode, body, head));
    return this.port.replies[before];
  }
}
