// One client's connection on the server: greeting, requests in, answers out, pushes, back-pressure.
import { FsError } from "../../domain/errno.ts";
import { passViolation } from "../../domain/invariant.ts";
import {
  MAX_REDO_BYTES,
  MAX_REDO_CHANGES,
  MAX_RPC_OUTSTANDING,
  MAX_RPC_UNSENT_BYTES,
  RPC_CONNECT_TIMEOUT_MS,
  RPC_DRAIN_CADENCE_MS,
  RPC_SERVER_MISSED_HEARTBEATS,
} from "./limits.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import { CLOSE_GOING_AWAY, FrameChannel, type Message } from "./frame-channel.ts";
import { Acknowledged } from "./acknowledged.ts";
import { GOODBYE, packRefusal, REDO } from "./control-messages.ts";
import type { MessageSocket } from "./message-socket.ts";
import { readArgs, type Procedure } from "./procedure.ts";
import {
  packOutcomes,
  readRedo,
  readSlotTicket,
  type Redo,
  type RedoOutcome,
  type SlotTicket,
} from "./redo.ts";
import { readCount, readFlag } from "./wire-readers.ts";

/** How a mutating request is known again: its reply slot and number (see PendingCalls). */
export interface Ticket extends SlotTicket {
  /** It has been sent before, so it may have been done. */
  readonly resent: boolean;
}

/** A session as a connection sees it. */
export interface RpcSession {
  /**
   * Runs a request; a change comes back as Acknowledged, or in a promise. Errors that are no
   * FsError are bugs.
   */
  invoke(procedure: Procedure, args: readonly unknown[], ticket: Ticket | undefined): unknown;
  /**
   * To be called once, before any request is: changes that were acknowledged and that the store has
   * forgotten, perhaps none, about `sizeBytes` of them. An outcome for each.
   */
  redo(changes: readonly Redo[], sizeBytes: number): Promise<readonly RedoOutcome[]>;
  /** The client ends the session. */
  goodbye(): Promise<void>;
  /** The connection is gone; the session may be resumed by another. */
  disconnected(): void;
}

/** What the server may do to a connection. */
export interface RpcPeer {
  /** Sends something unasked; before the welcome it waits, after the end it is lost. */
  push(message: Message): void;
  /** Nothing that still arrives on it is executed. */
  end(code: number, reason: string): void;
}

/** What a server of sessions does with connections. `P` says who is at the other end. */
export interface RpcHost<P> {
  /** What may be called, by number. */
  readonly procedures: readonly (Procedure | undefined)[];
  /** From the Authorization header; undefined refuses the connection. */
  authenticate(authorization: string | undefined): Promise<P | undefined>;
  /** Begins or resumes a session by a client's first message. A FsError refuses it. */
  greet(
    principal: P,
    hello: Message,
    peer: RpcPeer,
  ): Promise<{ welcome: Message; session: RpcSession }>;
}

export interface ServedConnectionOptions<P> {
  readonly principal: P;
  readonly socket: MessageSocket;
  readonly host: RpcHost<P>;
  readonly clock: Clock;
  readonly log: Log;
  ended(): void;
}

interface CollectedRedo {
  readonly changes: Redo[];
  sizeBytes: number;
}

export class ServedConnection<P> implements RpcPeer {
  readonly principal: P;
  readonly #options: ServedConnectionOptions<P>;
  readonly #channel: FrameChannel;
  readonly #cancelGreetingTimer: () => void;
  #greeting = false;
  /** What came of the redo, until it is complete. */
  #redo: CollectedRedo | undefined = { changes: [], sizeBytes: 0 };
  #session: RpcSession | undefined;
  /** Pushed since the session was begun: until its welcome leaves, so a few at the most. */
  #early: Message[] | undefined = [];
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

  push(message: Message): void {
    if (this.#ended) return;
    if (this.#early !== undefined) this.#early.push(message);
    else if (this.#session !== undefined) this.#channel.send(message);
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

  /** Resolves when all that was asked so far is answered, or the connection has ended. */
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
      const { welcome, session } = await this.#options.host.greet(this.principal, message, this);
      this.#cancelGreetingTimer();
      if (this.#ended || this.#channel.isClosed) {
        session.disconnected();
        return;
      }
      this.#session = session;
      this.#channel.send(welcome);
      for (const early of this.#early ?? []) this.#channel.send(early);
      this.#early = undefined;
    } catch (error) {
      const { code, message: text } = this.#toFsError(error);
      this.#channel.send(packRefusal(code, text));
      this.end(1000, "refused");
    }
  }

  #control(session: RpcSession, message: Message): void {
    if (message[1] === REDO && this.#redo !== undefined) {
      this.#collect(session, this.#redo, message);
      return;
    }
    if (message[1] !== GOODBYE) throw new FsError("EPROTO", "unknown message");
    // A request that came after it would be done for a session that is no more.
    this.#session = undefined;
    void this.#sayGoodbye(session);
  }

  /** Its first messages. @throws FsError EPROTO */
  #collect(session: RpcSession, redo: CollectedRedo, message: Message): void {
    const { last, changes, sizeBytes } = readRedo(message, this.#options.host.procedures);
    redo.sizeBytes += sizeBytes;
    if (
      redo.sizeBytes > MAX_REDO_BYTES ||
      redo.changes.length + changes.length > MAX_REDO_CHANGES
    ) {
      throw new FsError("EPROTO", "more to be done again than a client can have");
    }
    for (const change of changes) redo.changes.push(change);
    if (!last) return;
    this.#redo = undefined;
    // As a request that is worked on: it ends before the session or the server does.
    this.#outstanding += 1;
    session.redo(redo.changes, redo.sizeBytes).then(
      (outcomes) => {
        if (outcomes.length > 0) this.#channel.send(packOutcomes(outcomes));
        this.#settle();
      },
      (error: unknown) => {
        passViolation(error);
        this.#options.log.error({ err: error }, "what a client was promised could not be redone");
        // It connects anew, and asks again.
        this.end(CLOSE_GOING_AWAY, "the redo failed");
        this.#settle();
      },
    );
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
    if (this.#redo !== undefined) throw new FsError("EPROTO", "request before the redo");
    this.#outstanding += 1;
    if (this.#outstanding >= MAX_RPC_OUTSTANDING) this.#pause();
    const procedure = this.#options.host.procedures[message[1] as number];
    if (procedure === undefined) {
      this.#fail(id, new FsError("ENOSYS", "unknown procedure"));
      return;
    }
    try {
      const ticket = procedure.once ? readTicket(message) : undefined;
      const result = session.invoke(procedure, readArgs(procedure, message[2]), ticket);
      if (result instanceof Promise) {
        result.then(
          (value: unknown) => this.#answer(id, procedure, value),
          (error: unknown) => this.#fail(id, error),
        );
      } else {
        this.#answer(id, procedure, result);
      }
    } catch (error) {
      this.#fail(id, error);
    }
  }

  #answer(id: number, procedure: Procedure, result: unknown): void {
    try {
      this.#channel.send(packAnswer(id, procedure, result));
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

  /** Nobody is told when a socket has drained, so a paused connection is looked at again. */
  #planResume(): void {
    this.#options.clock.after(RPC_DRAIN_CADENCE_MS, () => {
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

function packAnswer(id: number, { result }: Procedure, answer: unknown): Message {
  if (!(answer instanceof Acknowledged)) return [id, result.pack(answer)];
  const packed = answer.packed ?? result.pack(answer.value);
  return [id, packed, answer.position, answer.trace ?? null];
}

/** @throws FsError EPROTO */
function readTicket(message: Message): Ticket {
  const { slot, sequence } = readSlotTicket(message[3], message[4]);
  return { slot, sequence, resent: readFlag(message[5], "resent") };
}
