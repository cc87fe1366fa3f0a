// One keep-alive connection that does nothing but GET: the kernel writes the body straight into the
// buffer it is meant for, with no parser, stream or chunk between. Measured at a third of undici's
// cost a byte.
import { connect, type Socket } from "node:net";
import { FsError } from "../../domain/errno.ts";
import type { Clock } from "../../platform/clock.ts";
import { CONNECT_TIMEOUT_MS } from "./limits.ts";
import { parseResponseHead, type ResponseHead } from "./response-head.ts";
import { connectionError, type ExchangeReply, MAX_PROBLEM_BYTES } from "./shard-exchange.ts";

/** Longest head taken, and what is read at first: a head and the body's first bytes. */
const SCRATCH_BYTES = 16 * 1024;
const HEAD_END = Buffer.from("\r\n\r\n");

/** A request under way. */
interface Exchange {
  target: Uint8Array;
  resolve: (reply: ExchangeReply) => void;
  reject: (error: FsError) => void;
  head?: ResponseHead;
  /** Where the body goes: the target, or a buffer for a problem document. */
  body: Uint8Array;
  bodyBytes: number;
}

export class GetConnection {
  readonly #socket: Socket;
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  readonly #onClosed: () => void;
  #scratchBytes = 0;
  #exchange: Exchange | undefined;
  #closed = false;
  readonly #endConnecting: () => void;
  #failure: Error | undefined;
  /** Answers that have come so far. */
  answers = 0;

  /** @param onClosed called once, when the connection can't be used any more */
  constructor(host: string, port: number, clock: Pick<Clock, "after">, onClosed: () => void) {
    this.#onClosed = onClosed;
    this.#socket = connect({
      host,
      port,
      noDelay: true,
      onread: {
        buffer: () => this.#nextBuffer(),
        callback: (bytes) => {
          this.#onBytes(bytes);
          return true;
        },
      },
    });
    this.#endConnecting = clock.after(CONNECT_TIMEOUT_MS, () => {
      this.#end(new Error(`no connection within ${CONNECT_TIMEOUT_MS} ms`));
    });
    this.#socket.once("connect", this.#endConnecting);
    this.#socket.on("error", (error) => (this.#failure ??= error));
    this.#socket.on("end", () => this.#end(new Error("the node closed the connection")));
    this.#socket.on("close", () => this.#end(this.#failure ?? new Error("the connection broke")));
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Sends a request, one at a time, and brings the answer; a good one's body is in `target`. Errors
   * of the connection and of the protocol end it.
   * @throws FsError ECONNREFUSED, EPROTO
   */
  request(text: string, target: Uint8Array): Promise<ExchangeReply> {
    return new Promise((resolve, reject) => {
      this.#exchange = { target, resolve, reject, body: target, bodyBytes: 0 };
      this.#scratchBytes = 0;
      this.#socket.ref();
      this.#socket.write(text, "latin1");
    });
  }

  /** Ends the connection at once; nothing is written into a target afterwards. */
  destroy(reason: FsError): void {
    this.#end(reason);
  }

  /** Called before each read: the rest of the body's buffer, or scratch for a head. */
  #nextBuffer(): Uint8Array {
    const exchange = this.#exchange;
    if (exchange?.head === undefined) return this.#scratch.subarray(this.#scratchBytes);
    return exchange.body.subarray(exchange.bodyBytes, exchange.head.contentLength);
  }

  #onBytes(bytes: number): void {
    const exchange = this.#exchange;
    if (exchange === undefined) {
      this.#end(new FsError("EPROTO", "storage node sent what nobody asked for"));
      return;
    }
    try {
      if (exchange.head === undefined) this.#onHeadBytes(exchange, bytes);
      else exchange.bodyBytes += bytes;
    } catch (error) {
      // What parsing throws is an FsError.
      this.#end(error as FsError);
      return;
    }
    if (exchange.bodyBytes === exchange.head?.contentLength) this.#finish(exchange, exchange.head);
  }

  /** Looks for the head's end in scratch; body bytes that came with it are copied, once. */
  #onHeadBytes(exchange: Exchange, bytes: number): void {
    this.#scratchBytes += bytes;
    const received = this.#scratch.subarray(0, this.#scratchBytes);
    const headBytes = received.indexOf(HEAD_END);
    if (headBytes < 0) {
      if (this.#scratchBytes < SCRATCH_BYTES) return;
      throw new FsError("EPROTO", "storage node's answer has too long a head");
    }
    const head = parseResponseHead(received.toString("latin1", 0, headBytes));
    const good = head.status < 300;
    const limit = good ? exchange.target.length : MAX_PROBLEM_BYTES;
    const begun = received.subarray(headBytes + HEAD_END.length);
    if (head.contentLength > limit || begun.length > head.contentLength) {
      throw new FsError("EPROTO", "storage node sent more than was asked for");
    }
    if (!good) exchange.body = Buffer.allocUnsafe(head.contentLength);
    exchange.body.set(begun);
    exchange.bodyBytes = begun.length;
    exchange.head = head;
    this.#scratchBytes = 0;
  }

  #finish(exchange: Exchange, head: ResponseHead): void {
    this.#exchange = undefined;
    this.answers++;
    if (head.keepAlive) this.#socket.unref();
    else this.#end(new Error("the node wants no more requests"));
    const { body, bodyBytes, target } = exchange;
    exchange.resolve({
      status: head.status,
      header: (name) => head.headers.get(name),
      bodyBytes,
      body: body === target ? Buffer.alloc(0) : Buffer.from(body),
    });
  }

  #end(reason: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#endConnecting();
    this.#socket.destroy();
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#onClosed();
    exchange?.reject(reason instanceof FsError ? reason : connectionError(reason));
  }
}
