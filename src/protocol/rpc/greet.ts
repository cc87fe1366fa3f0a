// Opens one connection and exchanges greetings. Retrying is SessionLink's.
import { FsError } from "../../domain/errno.ts";
import { passViolation } from "../../domain/invariant.ts";
import type { Clock } from "../../platform/clock.ts";
import { throwRefusal } from "./control-messages.ts";
import { FrameChannel, type Message } from "./frame-channel.ts";
import type { Dial, MessageSocket } from "./message-socket.ts";

export interface GreetOptions<W> {
  readonly dial: Dial;
  /** Base URL of the server, http: or https:. */
  readonly url: string;
  readonly token: string;
  readonly hello: Message;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Reads the server's first message. */
  readWelcome(message: Message): W;
  /** Every message after the welcome. */
  message(message: Message): void;
  /** Once, after the welcome. */
  closed(code: number, reason: string): void;
}

export interface Connection<W> {
  readonly channel: FrameChannel;
  readonly welcome: W;
}

/** @throws FsError what dialing fails with, what the server refuses with, EPROTO, ETIMEDOUT */
export async function greet<W>(options: GreetOptions<W>): Promise<Connection<W>> {
  const { dial, url, token, timeoutMs, clock } = options;
  const stop = new AbortController();
  const cancel = clock.after(timeoutMs, () => {
    stop.abort(new FsError("ETIMEDOUT", `the metadata server at ${url} does not answer`));
  });
  try {
    return await exchange(await dial(url, token, stop.signal), options, stop.signal);
  } finally {
    cancel();
  }
}

function exchange<W>(
  socket: MessageSocket,
  { url, hello, ...options }: GreetOptions<W>,
  signal: AbortSignal,
): Promise<Connection<W>> {
  return new Promise((resolve, reject) => {
    let greeted = false;
    const fail = (error: Error): void => {
      reject(error);
      socket.terminate();
    };
    const channel = new FrameChannel(socket, {
      message(message) {
        if (greeted) {
          options.message(message);
          return;
        }
        try {
          throwRefusal(message);
          const welcome = options.readWelcome(message);
          greeted = true;
          resolve({ channel, welcome });
        } catch (error) {
          passViolation(error);
          fail(error instanceof FsError ? error : new FsError("EPROTO", String(error)));
        }
      },
      closed(code, reason) {
        if (greeted) options.closed(code, reason);
        else fail(new FsError("ECONNREFUSED", `no metadata server answers at ${url}`));
      },
    });
    // After the welcome nobody waits for it any more.
    signal.addEventListener("abort", () => {
      if (!greeted) fail(signal.reason as FsError); // greet's own
    });
    channel.send(hello);
  });
}
