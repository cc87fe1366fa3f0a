// The socket under a storage node's app: listening, keep-alive, and stopping without cutting
// answers.
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { FsError } from "../../domain/errno.ts";
import type { Clock } from "../../platform/clock.ts";
import { NODE_KEEP_ALIVE_MS, NODE_REQUEST_TIMEOUT_MS, NODE_STOP_GRACE_MS } from "./limits.ts";

export class NodeServer implements AsyncDisposable {
  readonly port: number;
  readonly #server: Server;
  readonly #clock: Pick<Clock, "after">;

  private constructor(server: Server, port: number, clock: Pick<Clock, "after">) {
    this.#clock = clock;
    this.#server = server;
    this.port = port;
  }

  /** @throws FsError EBUSY when the port is taken, EIO when the address can't be listened on */
  static async listen(
    app: RequestListener,
    host: string,
    port: number,
    clock: Pick<Clock, "after">,
  ): Promise<NodeServer> {
    const server = createServer(
      {
        noDelay: true,
        keepAliveTimeout: NODE_KEEP_ALIVE_MS,
        requestTimeout: NODE_REQUEST_TIMEOUT_MS,
        highWaterMark: SOCKET_BUFFER_BYTES,
      },
      app,
    );
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error: NodeJS.ErrnoException) => {
        const taken = error.code === "EADDRINUSE";
        const why = taken ? "the port is taken" : error.message;
        const message = `cannot listen on ${host}:${port}: ${why}`;
        reject(new FsError(taken ? "EBUSY" : "EIO", message, { cause: error }));
      });
      server.listen(port, host, resolve);
    });
    // A listening TCP server has an AddressInfo.
    return new NodeServer(server, (server.address() as AddressInfo).port, clock);
  }

  /** Takes no more requests, waits a little for those under way, then cuts what is left. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      const spare = this.#clock.after(NODE_STOP_GRACE_MS, () => this.#server.closeAllConnections());
      this.#server.close(() => {
        spare();
        resolve();
      });
      this.#server.closeIdleConnections();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Node buffers this much of a socket before it pauses reading; a libuv read is 64 KiB. */
const SOCKET_BUFFER_BYTES = 256 * 1024;
