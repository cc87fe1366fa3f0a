// One client's connection on the server: greeting, requests in, answers out, pushes, back-pressure.
import type { WebSocket } from "ws";
import type { MapHistory } from "../../domain/cluster-map.ts";
import { FsError } from "../../domain/errno.ts";
import { passViolation } from "../../domain/invariant.ts";
import {
  MAX_REPLY_SLOTS,
  MAX_RPC_OUTSTANDING,
  MAX_RPC_UNSENT_BYTES,
  RPC_RECONNECT_MIN_MS,
  RPC_SERVER_MISSED_HEARTBEATS,
} from "./limits.ts";
import { RPC_CONNECT_TIMEOUT_MS } from "../rpc/limits.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import { FrameChannel, type Message } from "../rpc/frame-channel.ts";
import { GOODBYE, LOCK_READY, MAPS, packRefusal, packWelcome, readHello } from "./hello.ts";
import type { Hello, Welcome } from "./hello.ts";
import { OPERATIONS_BY_NUMBER, readArgs, type Operation } from "./meta-calls.ts";
import { mapsCodec } from "./wire-cluster.ts";
import { readCount, readFlag } from "./wire-values.ts";

/** How a mutating request is known again: its reply slot and number (see PendingCalls). */
export interface Ticket {
  readonly slot: number;
  readonly sequence: number;
  /** It has been sent before, so it may have been done. */
  readonly resent: boolean;
}

/** A session as a connection sees it. */
export interface RpcSession {
  /** Runs a request; errors that are no FsError are bugs. */
  invoke(operation: Operation, args: readonly unknown[], ticket: Ticket | undefined): unknown;
  /** The client ends the session. */
  goodbye(): Promise<void>;
  /** The connection is gone; the session may be resumed by another. */
  disconnected(): void;
}

/** What the server may do to a connection. */
export interface RpcPeer {
  pushMaps(maps: MapHistory): void;
  /** The lock of the client's wait with this number was granted. */
  pushLockReady(wait: number): void;
  /** Nothing that still arrives on it is executed. */
  end(code: number, reason: string): void;
}

/** What a server of sessions does with connections. `P` says who is at the other end. */
export interface RpcHost<P> {
  /** From the Authorization header; undefined refuses the connection. */
  authenticate(authorization: string | undefined): Promise<P | undefined>;
  /** Begins or resumes a session. A FsError refuses it. */
  greet(
    principal: P,
    hello: Hello,
    peer: RpcPeer,
  ): Promise<{ welcome: Welcome; session: RpcSession }>;
}

export interface ServedConnectionOptions<P> {
  readonly principal: P;
  readonly socket: WebSocket;
  readonly host: RpcHost<P>;
  readonly clock: Clock;
  readonly log: Log;
  ended(): void;
}

export class ServedConnection<P> implements RpcPeer {
  readonly principal: P;
  readonly #options: ServedConnectionOptions<P>;
  readonly #channel: FrameChannel;
  readonly #cancelGreetingTimer: () => void;
  #greeting = false;
  #session: RpcSession | undefined;
  /** A change of the map while the session was being begun. */
  #mapsAfterWelcome: MapHistory | undefined;
  #ended = false;
  #outstanding = 0;
  #paused = false;
  readonly #onDrained: (() => void)[] = [];

  constructor(options: ServedConnectionOptions<P>) {
    this.principal = options.principal;
    this.#options = options;
    this.#channel = new FrameChannel(options.socket, {
      message: (message) => this.#receive(message),
      closed: (code, reason) => this.#onClosed(code, reason),
    });
    this.#cancelGreetingTimer = options.clock.after(RPC_CONNECT_TIMEOUT_MS, () => {
      if (this.#session === undefined) this.#channel.terminate();
    });
  }

  pushMaps(maps: MapHistory): void {
    if (this.#ended) return;
    if (this.#session === undefined) this.#mapsAfterWelcome = maps;
    else this.#channel.send([0, MAPS, mapsCodec.pack(maps)]);
  }

  pushLockReady(wait: number): void {
    // Before the welcome the client has no wait of this connection.
    if (!this.#ended && this.#session !== undefined) this.#channel.send([0, LOCK_READY, wait]);
  }

  end(code: number, reason: string): void {
    if (this.#ended) return;
    this.#channel.close(code, reason);
    this.#finish();
  }

  /** Ends the connection when nothing was heard of the client for long. */
  beat(): void {
    if (this.#channel.beat(false) >= RPC_SERVER_MISSED_HEARTBEATS) this.#channel.terminate();
  }

  /** Resolves when every request received so far is answered, or the connection has ended. */
  drained(): Promise<void> {
    if (this.#outstanding === 0 || this.#ended) return Promise.resolve();
    return new Promise((resolve) => this.#onDrained.push(resolve));
  }

  #receive(message: Message): void {
    if (this.#ended) return;
    if (this.#session !== undefined) {
      if (message[0] === 0) this.#control(this.#session, message);
      else this.#request(this.#session, message);
      return;
    }
    if (this.#greeting) throw new FsError("EPROTO", "request before the welcome");
    this.#greeting = true;
    void this.#greet(message);
  }

  async #greet(message: Message): Promise<void> {
    try {
      const hello = readHello(message);
      const { welcome, session } = await this.#options.host.greet(this.principal, hello, this);
      this.#cancelGreetingTimer();
      if (this.#ended || this.#channel.isClosed) {
        session.disconnected();
        return;
      }
      this.#session = session;
      this.#channel.send(packWelcome(welcome));
      if (this.#mapsAfterWelcome !== undefined) this.pushMaps(this.#mapsAfterWelcome);
    } catch (error) {
      const { code, message: text } = this.#toFsError(error);
      this.#channel.send(packRefusal(code, text));
      this.end(1000, "refused");
    }
  }

  #control(session: RpcSession, message: Message): void {
    if (message[1] !== GOODBYE) throw new FsError("EPROTO", "unknown message");
    // A request that came after it would be done for a session that is no more.
    this.#session = undefined;
    void this.#sayGoodbye(session);
  }

  async #sayGoodbye(session: RpcSession): Promise<void> {
    await this.drained();
    try {
      await session.goodbye();
    } catch (error) {
      this.#options.log.error({ err: error }, "a session could not be ended");
    }
    this.#channel.send([0, GOODBYE]);
  }

  #request(session: RpcSession, message: Message): void {
    const id = readCount(message[0], "request id");
    this.#outstanding += 1;
    if (this.#outstanding >= MAX_RPC_OUTSTANDING) this.#pause();
    const operation = OPERATIONS_BY_NUMBER[message[1] as number];
    if (operation === undefined) {
      this.#fail(id, new FsError("ENOSYS", "unknown operation"));
      return;
    }
    try {
      const ticket = operation.once ? readTicket(message) : undefined;
      const result = session.invoke(operation, readArgs(operation, message[2]), ticket);
      if (result instanceof Promise) {
        result.then(
          (value: unknown) => this.#answer(id, operation, value),
          (error: unknown) => this.#fail(id, error),
        );
      } else {
        this.#answer(id, operation, result);
      }
    } catch (error) {
      this.#fail(id, error);
    }
  }

  #answer(id: number, operation: Operation, result: unknown): void {
    try {
      this.#channel.send([id, operation.result.pack(result)]);
    } catch (error) {
      this.#fail(id, error);
      return;
    }
    this.#settle();
  }

  #fail(id: number, error: unknown): void {
    const { code, message } = this.#toFsError(error);
    this.#channel.send([id, code, message]);
    this.#settle();
  }

  #settle(): void {
    this.#outstanding -= 1;
    if (this.#outstanding === 0 && this.#onDrained.length > 0) {
      for (const resolve of this.#onDrained.splice(0)) resolve();
    }
    if (this.#paused) this.#resumeIfPossible();
    else if (this.#channel.unsentBytes > MAX_RPC_UNSENT_BYTES) this.#pause();
  }

  #pause(): void {
    if (this.#paused || this.#ended) return;
    this.#paused = true;
    this.#channel.pause();
    this.#planResume();
  }

  /** ws tells nobody when its buffers have drained, so a paused connection is looked at again. */
  #planResume(): void {
    this.#options.clock.after(RPC_RECONNECT_MIN_MS, () => {
      if (this.#paused && !this.#ended && !this.#resumeIfPossible()) this.#planResume();
    });
  }

  #resumeIfPossible(): boolean {
    if (this.#outstanding * 2 > MAX_RPC_OUTSTANDING) return false;
    if (this.#channel.unsentBytes * 2 > MAX_RPC_UNSENT_BYTES) return false;
    this.#paused = false;
    if (!this.#ended) this.#channel.resume();
    return true;
  }

  #toFsError(error: unknown): FsError {
    if (error instanceof FsError) return error;
    passViolation(error);
    this.#options.log.error({ err: error }, "a metadata request failed unexpectedly");
    return new FsError("EIO", "internal error of the metadata server; see its log");
  }

  #onClosed(code: number, reason: string): void {
    this.#options.log.debug({ code, reason }, "connection closed");
    this.#finish();
  }

  #finish(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const resolve of this.#onDrained.splice(0)) resolve();
    this.#cancelGreetingTimer();
    this.#session?.disconnected();
    this.#options.ended();
  }
}

/** @throws FsError EPROTO */
function readTicket(message: Message): Ticket {
  const slot = readCount(message[3], "reply slot");
  if (slot >= MAX_REPLY_SLOTS) throw new FsError("EPROTO", "malformed message: reply slot");
  return {
    slot,
    sequence: readCount(message[4], "sequence number"),
    resent: readFlag(message[5], "resent"),
  };
}
