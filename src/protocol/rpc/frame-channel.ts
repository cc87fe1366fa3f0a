// Messages over one socket: msgpack, many to a frame, those of one tick corked together.
// Both ends use it. It knows nothing of what the messages mean.
import { Packr } from "msgpackr";
import { FsError } from "../../domain/errno.ts";
import { passViolation } from "../../domain/invariant.ts";
import { MAX_RPC_FRAME_BYTES, RPC_CORK_BYTES } from "./limits.ts";
import type { MessageSocket } from "./message-socket.ts";

/** A message: positional fields, the first of them the request's id (0: not about a request). */
export type Message = readonly unknown[];

/** Why a connection was ended (RFC 6455 section 7.4: 4000 and above are the application's own). */
export const CLOSE_GOING_AWAY = 1001;
export const CLOSE_PROTOCOL_ERROR = 1002;
export const CLOSE_REVOKED = 4401;

export interface FrameHandlers {
  /** In the order they were sent. A FsError thrown here ends the connection as malformed. */
  message(message: Message): void;
  /** Called once, whoever ended it. */
  closed(code: number, reason: string): void;
}

/** Flat, self-delimiting messages without msgpackr's records: no state is shared between frames. */
function createPackr(): Packr {
  return new Packr({
    useRecords: false,
    variableMapSize: true,
    mapsAsObjects: true,
    // Bytes are copied out of the frame, or one cached name would keep a whole frame in memory.
    copyBuffers: true,
  });
}

export class FrameChannel {
  readonly #socket: MessageSocket;
  readonly #handlers: FrameHandlers;
  readonly #packr = createPackr();
  #corked: Uint8Array[] = [];
  #corkedBytes = 0;
  #flushPlanned = false;
  #heard = true;
  #silentBeats = 0;
  #closed = false;

  constructor(socket: MessageSocket, handlers: FrameHandlers) {
    this.#socket = socket;
    this.#handlers = handlers;
    socket.listen({
      message: (frame) => this.#receive(frame),
      heard: () => (this.#heard = true),
      closed: (code, reason) => this.#onClose(code, reason),
    });
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Bytes handed to the socket that the network hasn't taken yet. */
  get unsentBytes(): number {
    return this.#socket.bufferedBytes;
  }

  /** Sent with the others of this tick. Lost without a word if the connection is gone. */
  send(message: Message): void {
    if (this.#closed) return;
    const bytes = this.#packr.pack(message);
    if (bytes.length > MAX_RPC_FRAME_BYTES) {
      throw new FsError("EOVERFLOW", `message of ${bytes.length} bytes is too large to send`);
    }
    if (this.#corkedBytes + bytes.length > RPC_CORK_BYTES) this.flush();
    this.#corked.push(bytes);
    this.#corkedBytes += bytes.length;
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    process.nextTick(() => this.flush());
  }

  /** Sends what is corked now. */
  flush(): void {
    this.#flushPlanned = false;
    const parts = this.#corked;
    const [first] = parts;
    if (first === undefined) return;
    this.#corked = [];
    this.#corkedBytes = 0;
    if (this.#closed) return;
    const frame = parts.length === 1 ? first : Buffer.concat(parts);
    this.#socket.send(frame);
  }

  /** Stops and resumes reading from the network. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /**
   * One beat: returns how many beats in a row nothing came from the other end. With `ping` the
   * other end is asked for a sign of life.
   */
  beat(ping: boolean): number {
    this.#silentBeats = this.#heard ? 0 : this.#silentBeats + 1;
    this.#heard = false;
    if (ping && !this.#closed) this.#socket.ping();
    return this.#silentBeats;
  }

  /** Ends the connection in order: what was sent before arrives. */
  close(code: number, reason: string): void {
    this.flush();
    this.#socket.close(code, reason);
  }

  /** Ends it at once. */
  terminate(): void {
    this.#socket.terminate();
  }

  #receive(frame: Uint8Array | string): void {
    if (this.#closed) return;
    this.#heard = true;
    try {
      if (typeof frame === "string") throw new FsError("EPROTO", "text frame");
      // Decoded as a whole first: a handler may decode bytes of its own, and msgpackr would then
      // copy the rest of the frame to save its place.
      const messages: unknown[] = this.#packr.unpackMultiple(frame);
      for (const message of messages) {
        if (!Array.isArray(message)) throw new FsError("EPROTO", "message is not a list");
        this.#handlers.message(message);
      }
    } catch (error) {
      passViolation(error);
      this.#socket.close(CLOSE_PROTOCOL_ERROR, "malformed message");
      // Nothing that follows can be trusted, and a peer that ignores the close must not linger.
      this.#onClose(CLOSE_PROTOCOL_ERROR, `malformed message: ${String(error)}`);
    }
  }

  #onClose(code: number, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#corked = [];
    this.#handlers.closed(code, reason);
  }
}
