// A client's lasting link to a server: one session over one connection after another. What was
// acknowledged and isn't on disk there is sent again to a server that comes back without it.
import { FsError, isFsError } from "../../domain/errno.ts";
import { HEARTBEAT_INTERVAL_MS } from "../../domain/limits.ts";
import {
  RPC_CONNECT_TIMEOUT_MS,
  RPC_FIRST_CONNECT_TIMEOUT_MS,
  RPC_MISSED_HEARTBEATS,
  RPC_RECONNECT_MAX_MS,
  RPC_RECONNECT_MIN_MS,
} from "./limits.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import { deferred } from "../../platform/flow/deferred.ts";
import type { History } from "./acknowledged.ts";
import { ChangeLog, type LostCall } from "./change-log.ts";
import { GOODBYE, REDONE, type SessionKey } from "./control-messages.ts";
import type { FrameChannel, Message } from "./frame-channel.ts";
import { greet, type Connection } from "./greet.ts";
import type { Dial } from "./message-socket.ts";
import { PendingCalls } from "./pending-calls.ts";
import { packArgs, type Procedure } from "./procedure.ts";
import { packRedo, readOutcomes } from "./redo.ts";

export interface LinkOptions<W> {
  readonly dial: Dial;
  readonly url: string;
  readonly token: string;
  /** First message to the server; it goes on with the session of the key, if there is one. */
  hello(resume: SessionKey | undefined): Message;
  readWelcome(message: Message): W;
  /** Has the server bring all that it acknowledged to disk; its answer says so. */
  readonly flush: Procedure;
  readonly answerTimeoutMs: number;
  readonly log: Log;
  readonly clock: Clock;
}

/** What the link itself wants to know of a server's first message. */
export interface SessionWelcome {
  readonly key: SessionKey;
  /** False when the session is a new one. */
  readonly resumed: boolean;
  readonly history: History;
}

export interface LinkEvents<W> {
  /**
   * The server's store has begun anew, perhaps behind what it acknowledged. All that it forgot of
   * this session's was done again, but for `lost`. Comes before the next two.
   */
  rolledBack(lost: readonly LostCall[]): void;
  /** The session is dead on the server; this one is new. */
  sessionLost(): void;
  /** The connection was lost and is there again. */
  resumed(): void;
  /** After each welcome, and after either of the above. */
  welcomed(welcome: W): void;
  /** A message that is no answer. */
  pushed(message: Message): void;
}

export class SessionLink<W extends SessionWelcome> {
  readonly #options: LinkOptions<W>;
  readonly #events: LinkEvents<W>;
  readonly #log = new ChangeLog();
  readonly #calls = new PendingCalls(this.#log);
  /** There was a rollback that nobody was told of yet; these can't be done again. */
  #lost: readonly LostCall[] | undefined;
  /** What a welcome began, to be ended when the server has done the redo. */
  #afterRedo: ((lost: readonly LostCall[]) => void) | undefined;
  #flushing = false;
  readonly #stop = new AbortController();
  #key: SessionKey | undefined;
  #channel: FrameChannel | undefined;
  #disconnected = deferred();
  #farewell: (() => void) | undefined;
  #failure: FsError | undefined;
  #maintenance: Promise<void> | undefined;
  #cancelBeat: () => void = () => undefined;

  constructor(options: LinkOptions<W>, events: LinkEvents<W>) {
    this.#options = options;
    this.#events = events;
  }

  /**
   * Makes the first connection and keeps the link up from then on.
   * @throws FsError EACCES, EPROTO, ECONNREFUSED, ETIMEDOUT
   */
  async start(): Promise<void> {
    const { clock } = this.#options;
    const giveUpMs = clock.monotonicMs() + RPC_FIRST_CONNECT_TIMEOUT_MS;
    let pauseMs = RPC_RECONNECT_MIN_MS;
    for (;;) {
      try {
        await this.#connect();
        break;
      } catch (error) {
        if (isFinal(error) || clock.monotonicMs() + pauseMs > giveUpMs) throw error;
        await clock.sleep(pauseMs);
        pauseMs = Math.min(pauseMs * 2, RPC_RECONNECT_MAX_MS);
      }
    }
    this.#beat();
    this.#maintenance = this.#maintain();
  }

  call(procedure: Procedure, args: readonly unknown[]): Promise<unknown> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const { clock, answerTimeoutMs } = this.#options;
    return this.#calls.add(
      procedure,
      packArgs(procedure, args),
      clock.monotonicMs() + answerTimeoutMs,
    );
  }

  /** The server has everything up to that position on disk. */
  durable(position: number): void {
    this.#log.durable(position);
    this.#calls.proceed();
  }

  /** Says goodbye, so that the server releases what the session holds, and ends the link. */
  async close(): Promise<void> {
    if (this.#stop.signal.aborted) {
      await this.#maintenance;
      return;
    }
    this.#failure ??= new FsError("ENOTCONN", "the session is closed");
    const channel = this.#channel;
    if (channel !== undefined) {
      const answered = deferred();
      this.#farewell = answered.resolve;
      channel.send([0, GOODBYE]);
      const giveUp = this.#options.clock.after(RPC_CONNECT_TIMEOUT_MS, () => this.#farewell?.());
      await Promise.race([answered.promise, this.#disconnected.promise]);
      giveUp();
    }
    this.#stop.abort();
    this.#cancelBeat();
    this.#calls.failAll(this.#failure);
    channel?.close(1000, "goodbye");
    // A server that hangs would keep the closing handshake, and with it this process, waiting.
    if (channel !== undefined)
      this.#options.clock.after(HEARTBEAT_INTERVAL_MS, () => channel.terminate());
    await this.#maintenance;
  }

  async #maintain(): Promise<void> {
    const { signal } = this.#stop;
    const stopped = aborted(signal);
    for (;;) {
      await Promise.race([this.#disconnected.promise, stopped]);
      if (this.#isClosing()) return;
      try {
        await this.#reconnect(signal);
      } catch (error) {
        if (!this.#isClosing()) this.#fail(error);
        return;
      }
    }
  }

  #isClosing(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Tries until it succeeds; throws only what no retry can help. */
  async #reconnect(signal: AbortSignal): Promise<void> {
    let pauseMs = 0;
    for (;;) {
      try {
        await this.#connect();
        return;
      } catch (error) {
        if (isFinal(error) || signal.aborted) throw error;
        this.#options.log.debug({ err: error }, "metadata server not reached, will try again");
      }
      pauseMs = Math.min(Math.max(RPC_RECONNECT_MIN_MS, pauseMs * 2), RPC_RECONNECT_MAX_MS);
      await this.#options.clock.sleep(pauseMs, signal);
    }
  }

  async #connect(): Promise<void> {
    const { dial, url, token, clock } = this.#options;
    const resume = this.#key;
    const connection = await greet<W>({
      dial,
      url,
      token,
      hello: this.#options.hello(resume),
      timeoutMs: RPC_CONNECT_TIMEOUT_MS,
      clock,
      readWelcome: (message) => this.#options.readWelcome(message),
      message: (message) => this.#receive(message),
      closed: (code, reason) => this.#onClosed(code, reason),
    });
    if (this.#stop.signal.aborted) {
      connection.channel.terminate();
      return;
    }
    this.#adopt(connection, resume !== undefined);
  }

  #adopt({ channel, welcome }: Connection<W>, wasConnected: boolean): void {
    this.#channel = channel;
    this.#key = welcome.key;
    this.#disconnected = deferred();
    if (channel.isClosed) {
      this.#onClosed(1006, "closed right after the greeting");
      return;
    }
    const { rolledBack, lost } = this.#log.greeted(welcome.history, welcome.key.session);
    if (rolledBack) this.#lost = [...(this.#lost ?? []), ...lost];
    const { forgotten } = this.#log;
    for (const message of packRedo(forgotten)) channel.send(message);
    const goOn = (failed: readonly LostCall[]): void => {
      this.#afterRedo = undefined;
      if (this.#lost !== undefined) this.#events.rolledBack([...this.#lost, ...failed]);
      this.#lost = undefined;
      this.#goOn(channel, welcome, wasConnected);
    };
    // Requests wait: they were made, or will be answered, after what is done again.
    if (forgotten.length === 0) goOn([]);
    else this.#afterRedo = goOn;
  }

  #goOn(channel: FrameChannel, welcome: W, wasConnected: boolean): void {
    const transmit = (message: Message): void => channel.send(message);
    if (welcome.resumed) {
      this.#calls.resume(transmit);
      this.#events.resumed();
    } else {
      this.#calls.restart(transmit);
      if (wasConnected) {
        this.#options.log.warn("the metadata server has ended this session; a new one was begun");
        this.#events.sessionLost();
      }
    }
    this.#events.welcomed(welcome);
  }

  #receive(message: Message): void {
    if (message[0] !== 0) {
      this.#calls.answer(message);
      if (this.#log.filling) this.#flush();
    } else if (message[1] === GOODBYE) {
      this.#farewell?.();
    } else if (message[1] === REDONE && this.#afterRedo !== undefined) {
      this.#afterRedo(this.#log.redone(readOutcomes(message)));
    } else {
      this.#events.pushed(message);
    }
  }

  /** So that what is kept becomes little before it is too much. */
  #flush(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.call(this.#options.flush, [])
      .catch((error: unknown) => {
        this.#options.log.warn({ err: error }, "acknowledged changes could not be made durable");
      })
      .finally(() => (this.#flushing = false));
  }

  #onClosed(code: number, reason: string): void {
    this.#channel = undefined;
    this.#afterRedo = undefined;
    this.#calls.disconnect();
    this.#disconnected.resolve();
    if (this.#stop.signal.aborted) return;
    this.#options.log.info({ code, reason }, "connection to the metadata server lost");
  }

  #beat(): void {
    const { clock } = this.#options;
    this.#calls.expire(clock.monotonicMs());
    if (this.#log.filling) this.#flush();
    const channel = this.#channel;
    if (channel !== undefined && channel.beat(true) >= RPC_MISSED_HEARTBEATS) {
      this.#options.log.warn("the metadata server is silent; connecting anew");
      channel.terminate();
    }
    this.#cancelBeat = clock.after(HEARTBEAT_INTERVAL_MS, () => this.#beat());
  }

  #fail(error: unknown): void {
    this.#failure = error instanceof FsError ? error : new FsError("EIO", String(error));
    this.#options.log.error({ err: error }, "the link to the metadata server is at its end");
    this.#cancelBeat();
    this.#calls.failAll(this.#failure);
  }
}

/** Errors that trying again won't cure. */
function isFinal(error: unknown): boolean {
  return isFsError(error, "EACCES", "EPROTO");
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
