// The one place that knows WebSockets: dials them, and takes the upgrades of an HTTP server.
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocket, WebSocketServer } from "ws";
import { FsError, isFsError } from "../../domain/errno.ts";
import { passViolation } from "../../domain/invariant.ts";
import type { Log } from "../../observability/log.ts";
import { MAX_RPC_FRAME_BYTES } from "./limits.ts";
import type { Dial, Gatekeeper, MessageSocket, SocketEvents } from "./message-socket.ts";

/** Path of the WebSocket beside the HTTP routes. */
const RPC_PATH = "/rpc";

class WsSocket implements MessageSocket {
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    // ws reports an error's consequence as a close right after.
    socket.on("error", () => undefined);
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  listen(events: SocketEvents): void {
    const socket = this.#socket;
    socket.binaryType = "nodebuffer";
    // The binary type above makes every frame a Buffer.
    socket.on("message", (data, isBinary) =>
      events.message(isBinary ? (data as Buffer) : (data as Buffer).toString("utf8")),
    );
    socket.on("ping", () => events.heard());
    socket.on("pong", () => events.heard());
    socket.on("close", (code, reason) => events.closed(code, reason.toString("utf8")));
  }

  send(frame: Uint8Array): void {
    this.#socket.send(frame, { binary: true });
  }

  ping(): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  terminate(): void {
    this.#socket.terminate();
  }
}

/** Zero masks: masking guards proxies against hostile scripts in browsers (RFC 6455 10.3). */
function writeZeroMask(mask: Buffer): void {
  mask.fill(0);
}

export const dialWebSocket: Dial = (url, token, signal) => {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(rpcUrl(url), {
      headers: { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
      maxPayload: MAX_RPC_FRAME_BYTES,
      generateMask: writeZeroMask,
      followRedirects: false,
    });
    const adapted = new WsSocket(socket);
    const onAbort = (): void => fail(signal.reason as Error); // that of whoever gave the signal
    const fail = (error: Error): void => {
      signal.removeEventListener("abort", onAbort);
      reject(error);
      socket.terminate();
    };
    signal.addEventListener("abort", onAbort);
    socket.once("open", () => {
      signal.removeEventListener("abort", onAbort);
      resolve(adapted);
    });
    socket.once("unexpected-response", (request, response) => {
      fail(describeStatus(response.statusCode, url));
      request.destroy();
    });
    socket.once("close", () => {
      fail(new FsError("ECONNREFUSED", `no metadata server answers at ${url}`));
    });
  });
};

function rpcUrl(base: string): string {
  const url = new URL(RPC_PATH, base);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

function describeStatus(status: number | undefined, url: string): FsError {
  if (status === 401 || status === 403) {
    return new FsError("EACCES", "the metadata server does not accept this login; run `dfs login`");
  }
  if (status === 503) return new FsError("EAGAIN", `the metadata server at ${url} is busy`);
  return new FsError("ECONNREFUSED", `${url} answers, but it is no metadata server (${status})`);
}

/** Makes WebSockets of an HTTP server's upgrades, for who is admitted. */
export class WebSocketEntrance<P> {
  readonly #gatekeeper: Gatekeeper<P>;
  readonly #log: Log;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_RPC_FRAME_BYTES,
  });

  constructor(gatekeeper: Gatekeeper<P>, log: Log) {
    this.#gatekeeper = gatekeeper;
    this.#log = log;
  }

  /** The HTTP server's `upgrade` event. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    this.#enter(request, socket, head).catch((error: unknown) => {
      passViolation(error);
      this.#log.error({ err: error }, "upgrade failed");
      refuse(socket, "500 Internal Server Error");
    });
  }

  async #enter(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const path = request.url?.split("?")[0];
    if (path !== RPC_PATH) {
      refuse(socket, "404 Not Found");
      return;
    }
    try {
      const principal = await this.#gatekeeper.admit(request.headers.authorization);
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
        this.#gatekeeper.serve(principal, new WsSocket(webSocket));
      });
    } catch (error) {
      if (isFsError(error, "EACCES")) refuse(socket, "401 Unauthorized");
      else if (isFsError(error, "EAGAIN")) refuse(socket, "503 Service Unavailable");
      else throw error;
    }
  }
}

function refuse(socket: Duplex, status: string): void {
  if (!socket.writable) return;
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
