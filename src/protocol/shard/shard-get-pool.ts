// The GET connections to one node: as many as are needed up to a bound, kept while they are in use
// often enough, and a queue in front of them.
import { FsError } from "../../domain/errno.ts";
import type { Clock } from "../../platform/clock.ts";
import { WorkLimit } from "../../platform/flow/work-limit.ts";
import { GET_IDLE_TIMEOUT_MS } from "./limits.ts";
import { abortError, type ExchangeReply } from "./shard-exchange.ts";
import { GetConnection } from "./shard-get-connection.ts";

interface Idle {
  connection: GetConnection;
  sinceMs: number;
}

export class GetPool {
  readonly #host: string;
  readonly #port: number;
  readonly #authority: string;
  /** The one used last at the end, so that what is too many grows old. */
  readonly #idle: Idle[] = [];
  readonly #open = new Set<GetConnection>();
  readonly #requests: WorkLimit;
  readonly #clock: Clock;
  #closed = false;

  /** @param origin an http: URL */
  constructor(origin: URL, bound: number, clock: Clock) {
    this.#clock = clock;
    this.#host = origin.hostname.replace(/^\[|\]$/g, "");
    this.#port = Number(origin.port === "" ? 80 : origin.port);
    this.#authority = origin.host;
    this.#requests = new WorkLimit(bound);
  }

  /**
   * Asks for `path`; the body of a good answer is in `target`, of another one in the reply. A
   * connection that turns out to have died while it was idle is replaced, once.
   * @throws FsError ETIMEDOUT or EINTR by the signal, ECONNREFUSED, EPROTO
   */
  async get(
    path: string,
    headers: Readonly<Record<string, string>>,
    target: Uint8Array,
    signal?: AbortSignal,
  ): Promise<ExchangeReply> {
    const text = requestText(path, { host: this.#authority, ...headers });
    if (signal?.aborted === true) throw abortError(signal);
    try {
      return await this.#requests.run(1, signal, () => this.#send(text, target, signal));
    } catch (error) {
      if (signal !== undefined && error === signal.reason) throw abortError(signal);
      throw error;
    }
  }

  async #send(
    text: string,
    target: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<ExchangeReply> {
    this.#checkOpen();
    const kept = this.#takeIdle();
    if (kept !== undefined) {
      try {
        return await this.#exchange(kept, text, target, signal);
      } catch (error) {
        const stale = error instanceof FsError && error.code === "ECONNREFUSED";
        if (!stale || signal?.aborted === true || this.#closed) throw error;
      }
    }
    return await this.#exchange(this.#connect(), text, target, signal);
  }

  #checkOpen(): void {
    if (this.#closed) throw new FsError("ECONNREFUSED", "the client of this node was closed");
  }

  close(): void {
    this.#closed = true;
    const reason = new FsError("ECONNREFUSED", "the client of this node was closed");
    for (const connection of this.#open) connection.destroy(reason);
  }

  async #exchange(
    connection: GetConnection,
    text: string,
    target: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<ExchangeReply> {
    const onAbort = (): void => {
      if (signal !== undefined) connection.destroy(abortError(signal));
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      const reply = await connection.request(text, target);
      if (!connection.closed) this.#idle.push({ connection, sinceMs: this.#clock.monotonicMs() });
      return reply;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #connect(): GetConnection {
    const connection: GetConnection = new GetConnection(this.#host, this.#port, this.#clock, () => {
      this.#open.delete(connection);
      const at = this.#idle.findIndex((idle) => idle.connection === connection);
      if (at >= 0) this.#idle.splice(at, 1);
    });
    this.#open.add(connection);
    return connection;
  }

  /** The connection used last; those idle for too long are closed, before the node does it. */
  #takeIdle(): GetConnection | undefined {
    const oldestMs = this.#clock.monotonicMs() - GET_IDLE_TIMEOUT_MS;
    for (const { connection, sinceMs } of [...this.#idle]) {
      if (sinceMs < oldestMs) connection.destroy(new FsError("ECONNREFUSED", "idle for too long"));
    }
    return this.#idle.pop()?.connection;
  }
}

function requestText(path: string, headers: Readonly<Record<string, string>>): string {
  let text = `GET ${path} HTTP/1.1\r\n`;
  for (const [name, value] of Object.entries(headers)) {
    if (/[\r\n\0]/.test(value))
      throw new FsError("EINVAL", `header ${name} has a line break in it`);
    text += `${name}: ${value}\r\n`;
  }
  return `${text}\r\n`;
}
