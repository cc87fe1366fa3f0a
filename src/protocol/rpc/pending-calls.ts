// A client's unanswered requests and its reply slots. A mutating request holds a slot, numbered in
// sequence, until it is answered; with it the server knows a repeated request (as NFSv4.1 sessions,
// RFC 8881 section 2.10.6). An answered change goes into the change log. No connection here.
import { FsError } from "../../domain/errno.ts";
import { invariant } from "../../domain/invariant.ts";
import { MAX_REPLY_SLOTS, MAX_RPC_PENDING } from "./limits.ts";
import type { ChangeLog } from "./change-log.ts";
import type { Message } from "./frame-channel.ts";
import { readError } from "./control-messages.ts";
import type { Procedure } from "./procedure.ts";
import { readCount } from "./wire-readers.ts";

interface Slot {
  readonly index: number;
  /** Of the latest call that took it. */
  sequence: number;
  /** Of the latest call that left with it; calls that were given up before leave gaps. */
  sentSequence: number;
  holder: PendingCall | undefined;
}

interface PendingCall {
  readonly id: number;
  readonly procedure: Procedure;
  readonly args: readonly unknown[];
  readonly deadlineMs: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** Held by a procedure that runs once; such a call without a slot waits for one. */
  slot: Slot | undefined;
  /** It has left on some connection, so the server may have done it. */
  sent: boolean;
  /** Given up; kept only because its slot is not free before the answer or a new connection. */
  abandoned: boolean;
}

/** Puts a request on the wire. Throws when it can't be encoded. */
type Transmit = (message: Message) => void;

export class PendingCalls {
  readonly #calls = new Map<number, PendingCall>();
  #freeSlots: Slot[] = createSlots();
  readonly #waiting: PendingCall[] = [];
  readonly #log: Pick<ChangeLog, "keep" | "durable" | "full">;
  #lastId = 0;
  #transmit: Transmit | undefined;

  constructor(log: Pick<ChangeLog, "keep" | "durable" | "full">) {
    this.#log = log;
  }

  /** Adds a request; it leaves as soon as there is a connection, and a slot if it needs one. */
  add(procedure: Procedure, args: readonly unknown[], deadlineMs: number): Promise<unknown> {
    if (this.#calls.size >= MAX_RPC_PENDING) {
      return Promise.reject(new FsError("EAGAIN", "too many metadata requests are outstanding"));
    }
    return new Promise((resolve, reject) => {
      const call: PendingCall = {
        id: ++this.#lastId,
        procedure,
        args,
        deadlineMs,
        resolve,
        reject,
        slot: undefined,
        sent: false,
        abandoned: false,
      };
      this.#calls.set(call.id, call);
      if (procedure.once && !this.#takeSlot(call)) this.#waiting.push(call);
      else this.#send(call);
    });
  }

  /**
   * Handles [id, result], [id, result, position, trace] of a change, or [id, errno, text]; answers
   * to nothing known are ignored. @throws FsError EPROTO
   */
  answer(message: Message): void {
    const call = this.#calls.get(message[0] as number);
    if (call === undefined) return;
    if (message.length === 4) this.#note(call, readCount(message[2], "position"), message[3]);
    this.#remove(call);
    if (message.length === 3) {
      call.reject(readError(message[1], message[2]));
      return;
    }
    try {
      call.resolve(call.procedure.result.read(message[1]));
    } catch (error) {
      call.reject(error);
    }
  }

  /** There may be room for what waits: a slot is free, or what was kept is on disk. */
  proceed(): void {
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined || !this.#takeSlot(next)) return;
      this.#waiting.shift();
      this.#send(next);
    }
  }

  /** The connection is gone: requests wait for the next. */
  disconnect(): void {
    this.#transmit = undefined;
  }

  /** A new connection of the same session: everything unanswered is asked again. */
  resume(transmit: Transmit): void {
    this.#dropAbandoned();
    this.#transmit = transmit;
    // Those still without a slot are sent by whoever frees one, not here as well.
    const ready = [...this.#calls.values()].filter(isReady);
    for (const call of ready) this.#send(call);
    this.proceed();
  }

  /**
   * A connection of a new session. What may have been done by the old one fails with EIO, what
   * surely wasn't is asked now, but for what the old session's end has done.
   */
  restart(transmit: Transmit): void {
    this.#dropAbandoned();
    const survivors: PendingCall[] = [];
    for (const call of this.#calls.values()) {
      if (call.procedure.doneBySessionEnd) call.resolve(undefined);
      else if (call.procedure.once && call.sent) call.reject(unknownFate());
      else survivors.push(call);
    }
    this.#calls.clear();
    this.#waiting.length = 0;
    this.#freeSlots = createSlots();
    this.#transmit = transmit;
    for (const call of survivors) {
      call.slot = undefined;
      call.sent = false;
      this.#calls.set(call.id, call);
      if (call.procedure.once && !this.#takeSlot(call)) this.#waiting.push(call);
      else this.#send(call);
    }
  }

  /** Fails what is older than its deadline. */
  expire(nowMs: number): void {
    for (const call of this.#calls.values()) {
      if (call.deadlineMs > nowMs) return;
      if (call.abandoned) continue;
      call.reject(new FsError("ETIMEDOUT", "the metadata server has not answered for too long"));
      if (call.slot !== undefined && call.sent) call.abandoned = true;
      else this.#remove(call);
    }
  }

  failAll(error: FsError): void {
    this.#transmit = undefined;
    for (const call of this.#calls.values()) call.reject(error);
    this.#calls.clear();
    this.#waiting.length = 0;
  }

  #send(call: PendingCall): void {
    if (this.#transmit === undefined || !isReady(call)) return;
    const { id, procedure, args, slot, sent } = call;
    try {
      if (slot === undefined) this.#transmit([id, procedure.number, args]);
      else this.#transmit([id, procedure.number, args, slot.index, useSequence(slot, sent), sent]);
      call.sent = true;
    } catch (error) {
      this.#remove(call);
      call.reject(error);
    }
  }

  #note({ procedure, args, slot }: PendingCall, position: number, trace: unknown): void {
    if (trace === null) {
      this.#log.durable(position);
      return;
    }
    const ticket = slot && { slot: slot.index, sequence: slot.sequence };
    this.#log.keep({ procedure, args, ticket }, position, trace);
  }

  #takeSlot(call: PendingCall): boolean {
    const slot = this.#log.full ? undefined : this.#freeSlots.pop();
    if (slot === undefined) return false;
    const { index } = slot;
    invariant(slot.holder === undefined, "a reply slot that is taken is free", { index });
    slot.holder = call;
    slot.sequence += 1;
    call.slot = slot;
    return true;
  }

  #remove(call: PendingCall): void {
    this.#calls.delete(call.id);
    if (call.slot !== undefined) {
      const { index, holder } = call.slot;
      invariant(holder === call, "a reply slot is given back once, by its holder", { index });
      call.slot.holder = undefined;
      this.#freeSlots.push(call.slot);
    } else if (call.procedure.once) {
      const position = this.#waiting.indexOf(call);
      if (position >= 0) this.#waiting.splice(position, 1);
    }
    this.proceed();
  }

  #dropAbandoned(): void {
    for (const call of this.#calls.values()) if (call.abandoned) this.#remove(call);
  }
}

function isReady(call: PendingCall): boolean {
  return !call.procedure.once || call.slot !== undefined;
}

function createSlots(): Slot[] {
  return Array.from({ length: MAX_REPLY_SLOTS }, (_, position) => ({
    // Taken from the end: slot 0 first, so that a quiet session uses few records.
    index: MAX_REPLY_SLOTS - 1 - position,
    sequence: 0,
    sentSequence: 0,
    holder: undefined,
  }));
}

/** The server takes a number that it knows for a repetition, and answers with what it kept. */
function useSequence(slot: Slot, again: boolean): number {
  const { index, sequence, sentSequence } = slot;
  invariant(
    again ? sequence === sentSequence : sequence > sentSequence,
    "a reply slot's number is new for a new call, and the same for a repeated one",
    { index, sequence, sentSequence, again },
  );
  slot.sentSequence = sequence;
  return sequence;
}

function unknownFate(): FsError {
  return new FsError(
    "EIO",
    "the session ended while the request was under way; whether it was done is not known",
  );
}
