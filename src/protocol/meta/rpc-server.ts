// The server's end of the RPC: takes WebSocket upgrades, lets in who has a token, keeps an eye on
// the connections. What requests mean is the host's business.
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer, type WebSocket } from "ws";
import { HEARTBEAT_INTERVAL_MS } from "../../domain/limits.ts";
import { MAX_RPC_FRAME_BYTES, RPC_CONNECT_TIMEOUT_MS } from "../rpc/limits.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import { RPC_PATH } from "./dial.ts";
import { CLOSE_GOING_AWAY } from "../rpc/frame-channel.ts";
import { ServedConnection, type RpcHost } from "./served-connection.ts";

export interface RpcServerOptions<P> {
  readonly host: RpcHost<P>;
  readonly clock: Clock;
  readonly log: Log;
}

export class RpcServer<P> {
  readonly #options: RpcServerOptions<P>;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_RPC_FRAME_BYTES,
  });
  readonly #connections = new Set<ServedConnection<P>>();
  #cancelBeat: () => void = () => undefined;
  #closing = false;

  constructor(options: RpcServerOptions<P>) {
    this.#options = options;
  }

  start(): void {
    this.#cancelBeat = this.#options.clock.after(HEARTBEAT_INTERVAL_MS, () => {
      for (const connection of this.#connections) connection.beat();
      this.start();
    });
  }

  /** The HTTP server's `upgrade` event. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    this.#admit(request, socket, head).catch((error: unknown) => {
      this.#options.log.error({ err: error }, "upgrade failed");
      refuse(socket, "500 Internal Server Error");
    });
  }

  /** Ends every connection of a principal that `matches`. */
  endWhere(matches: (principal: P) => boolean, code: number, reason: string): void {
    for (const connection of this.#connections) {
      if (matches(connection.principal)) connection.end(code, reason);
    }
  }

  /** Answers what is pending, then ends all connections; their sessions live on. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#cancelBeat();
    const { clock } = this.#options;
    await Promise.all(
      [...this.#connections].map(async (connection) => {
        const end = (): void => connection.end(CLOSE_GOING_AWAY, "the metadata server shuts down");
        const cancel = clock.after(RPC_CONNECT_TIMEOUT_MS, end);
        await connection.drained();
        cancel();
        end();
      }),
    );
    this.#sockets.close();
  }

  async #admit(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const path = request.url?.split("?")[0];
    if (path !== RPC_PATH) {
      refuse(socket, "404 Not Found");
      return;
    }
    const principal = await this.#options.host.authenticate(request.headers.authorization);
    if (principal === undefined) refuse(socket, "401 Unauthorized");
    else if (this.#closing) refuse(socket, "503 Service Unavailable");
    else {
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
        this.#serve(principal, webSocket);
      });
    }
  }

  #serve(principal: P, socket: WebSocket): void {
    const { host, clock, log } = this.#options;
    const connection = new ServedConnection<P>({
      principal,
      socket,
      host,
      clock,
      log,
      ended: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
  }
}

function refuse(socket: Duplex, status: string): void {
  if (!socket.writable) return;
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
