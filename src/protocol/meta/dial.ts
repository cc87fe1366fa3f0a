// Opens one connection to the metadata server and exchanges greetings. Retrying is MetaLink's.
import { WebSocket } from "ws";
import { FsError } from "../../domain/errno.ts";
import { MAX_RPC_FRAME_BYTES } from "../rpc/limits.ts";
import type { Clock } from "../../platform/clock.ts";
import { FrameChannel, type Message } from "../rpc/frame-channel.ts";
import { packHello, readWelcome, type Hello, type Welcome } from "./hello.ts";

/** Path of the WebSocket beside the HTTP routes. */
export const RPC_PATH = "/rpc";

export interface DialOptions {
  /** Base URL of the metadata server, http: or https:. */
  readonly url: string;
  readonly token: string;
  readonly hello: Hello;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Every message after the welcome. */
  message(message: Message): void;
  /** Once, after the welcome. */
  closed(code: number, reason: string): void;
}

export interface Connection {
  readonly channel: FrameChannel;
  readonly welcome: Welcome;
}

/** Zero masks: masking guards proxies against hostile scripts in browsers (RFC 6455 10.3). */
function writeZeroMask(mask: Buffer): void {
  mask.fill(0);
}

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

/**
 * @throws FsError EACCES (token refused), EPROTO (other version), ECONNREFUSED, ETIMEDOUT, EAGAIN
 */
export function dial(options: DialOptions): Promise<Connection> {
  const { url, token, hello, timeoutMs, clock } = options;
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(rpcUrl(url), {
      headers: { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
      maxPayload: MAX_RPC_FRAME_BYTES,
      generateMask: writeZeroMask,
      followRedirects: false,
    });
    let greeted = false;
    let failure: FsError | undefined;
    const cancelTimer = clock.after(timeoutMs, () => {
      fail(new FsError("ETIMEDOUT", `the metadata server at ${url} does not answer`));
    });
    function fail(error: FsError): void {
      cancelTimer();
      failure ??= error;
      reject(failure);
      socket.terminate();
    }
    const channel = new FrameChannel(socket, {
      message(message) {
        if (greeted) {
          options.message(message);
          return;
        }
        try {
          const welcome = readWelcome(message);
          greeted = true;
          cancelTimer();
          resolve({ channel, welcome });
        } catch (error) {
          fail(error instanceof FsError ? error : new FsError("EPROTO", String(error)));
        }
      },
      closed(code, reason) {
        if (greeted) options.closed(code, reason);
        else fail(new FsError("ECONNREFUSED", `no metadata server answers at ${url}`));
      },
    });
    socket.on("open", () => channel.send(packHello(hello)));
    socket.on("unexpected-response", (request, response) => {
      fail(describeStatus(response.statusCode, url));
      request.destroy();
    });
  });
}
