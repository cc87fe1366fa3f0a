// The messages that are about no request: they begin and end a session's connections. Their id is
// 0 and their second field a word; one with a number there is a push, which means something to the
// service alone.
import { isErrnoName, type ErrnoName, FsError } from "../../domain/errno.ts";
import type { SessionId } from "../../domain/ids.ts";
import type { Message } from "./frame-channel.ts";

/** A client's first message, and the server's answers to it; what follows is the service's. */
export const HELLO = "hello";
export const WELCOME = "welcome";
const REFUSED = "refused";
/**
 * After each welcome a client sends the changes that the server has forgotten (redo.ts), or none;
 * and where there were any, the server says what became of each.
 */
export const REDO = "redo";
export const REDONE = "redone";
/** The client ends its session, and the server has done so. */
export const GOODBYE = "goodbye";

/** What proves that a connection belongs to a session. */
export interface SessionKey {
  readonly session: SessionId;
  readonly secret: Uint8Array;
}

export function packRefusal(code: ErrnoName, text: string): Message {
  return [0, REFUSED, code, text];
}

/** @throws FsError what the server refused with, if it did */
export function throwRefusal(message: Message): void {
  if (message[0] === 0 && message[1] === REFUSED) throw readError(message[2], message[3]);
}

/**
 * An error as it travels: an errno name and a text for people. It has no stack: this one would only
 * show the decoder, and half the cost of a lookup that finds nothing is taking it.
 */
export function readError(code: unknown, text: unknown): FsError {
  const message = typeof text === "string" ? text : "the server reports an error";
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return new FsError(isErrnoName(code) ? code : "EIO", message);
  } finally {
    Error.stackTraceLimit = limit;
  }
}
