// One HTTP request to a storage node and what becomes of its answer, over undici's dispatch:
// the body goes straight into the buffer it is meant for. No knowledge of shards here.
import type { Dispatcher } from "undici";
import { FsError } from "../../domain/errno.ts";

export interface ExchangeRequest {
  method: "GET" | "HEAD" | "PUT" | "POST";
  path: string;
  headers: Record<string, string>;
  body?: Uint8Array;
  /** Where the body of a good answer goes; what doesn't fit is a protocol error. */
  target?: Uint8Array;
  /** Without a target: the most bytes a good answer may have. */
  maxReplyBytes?: number;
}

export interface ExchangeReply {
  status: number;
  header: (name: string) => string | undefined;
  /** Of the body, in `target` or in `body`. */
  bodyBytes: number;
  body: Buffer;
}

/** Answers that aren't 2xx carry a problem document; more than this of it isn't read. */
export const MAX_PROBLEM_BYTES = 64 * 1024;

/**
 * Brings the answer, good or not.
 * @throws FsError ETIMEDOUT, EINTR, ECONNREFUSED, EPROTO; never undici's own errors
 */
export function exchange(
  dispatcher: Dispatcher,
  request: ExchangeRequest,
  signal?: AbortSignal,
): Promise<ExchangeReply> {
  if (signal?.aborted === true) return Promise.reject(abortError(signal));
  return new Promise((resolve, reject) => {
    const handler = new ExchangeHandler(request, signal, resolve, reject);
    const { method, path, headers } = request;
    dispatcher.dispatch({ method, path, headers, body: request.body ?? null }, handler);
  });
}

/** @throws FsError ETIMEDOUT or EINTR when the signal has ended the call already */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortError(signal);
}

/** What a caller sees when its signal ended the request. */
export function abortError(signal: AbortSignal): FsError {
  const reason: unknown = signal.reason;
  if (reason instanceof FsError) return reason;
  if (reason instanceof DOMException && reason.name === "TimeoutError") {
    return new FsError("ETIMEDOUT", "storage node did not answer in time", { cause: reason });
  }
  return new FsError("EINTR", "request was cancelled", { cause: reason });
}

/** Anything that befell the connection: the node is taken as not answering. */
export function connectionError(cause: unknown): FsError {
  const what = cause instanceof Error ? cause.message : String(cause);
  return new FsError("ECONNREFUSED", `storage node cannot be reached: ${what}`, { cause });
}

class ExchangeHandler implements Dispatcher.DispatchHandler {
  readonly #request: ExchangeRequest;
  readonly #signal: AbortSignal | undefined;
  readonly #resolve: (reply: ExchangeReply) => void;
  readonly #reject: (error: Error) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #settled = false;
  #status = 0;
  #headers: Record<string, string | string[] | undefined> = {};
  #collected: Buffer[] = [];
  #bodyBytes = 0;

  constructor(
    request: ExchangeRequest,
    signal: AbortSignal | undefined,
    resolve: (reply: ExchangeReply) => void,
    reject: (error: Error) => void,
  ) {
    this.#request = request;
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
    signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#settled) controller.abort(new Error("request was given up while it waited"));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#settled) return;
    const { target } = this.#request;
    const end = this.#bodyBytes + chunk.length;
    if (this.#good && target !== undefined) {
      if (end > target.length) {
        this.#fail(new FsError("EPROTO", "storage node sent more than was asked for"));
        return;
      }
      target.set(chunk, this.#bodyBytes);
    } else {
      const limit = this.#good ? (this.#request.maxReplyBytes ?? 0) : MAX_PROBLEM_BYTES;
      if (end > limit) {
        this.#fail(new FsError("EPROTO", `storage node sent more than ${limit} bytes`));
        return;
      }
      this.#collected.push(chunk);
    }
    this.#bodyBytes = end;
  }

  onResponseEnd(): void {
    if (!this.#settle()) return;
    this.#resolve({
      status: this.#status,
      header: (name) => {
        const value = this.#headers[name];
        return typeof value === "string" ? value : undefined;
      },
      bodyBytes: this.#bodyBytes,
      body: Buffer.concat(this.#collected),
    });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#settle()) this.#reject(connectionError(error));
  }

  get #good(): boolean {
    return this.#status >= 200 && this.#status < 300;
  }

  readonly #onAbort = (): void => {
    if (this.#signal !== undefined) this.#fail(abortError(this.#signal));
  };

  #fail(error: FsError): void {
    if (!this.#settle()) return;
    this.#reject(error);
    this.#controller?.abort(error);
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    this.#signal?.removeEventListener("abort", this.#onAbort);
    return true;
  }
}
