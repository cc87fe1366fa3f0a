// The greeting that begins every connection, and the few messages that are about no request.
import { isErrnoName, type ErrnoName, FsError } from "../../domain/errno.ts";
import type { MapHistory } from "../../domain/cluster-map.ts";
import type { SessionId } from "../../domain/ids.ts";
import { MAX_CLIENT_NAME_CHARS } from "../../domain/limits.ts";
import type { Message } from "../rpc/frame-channel.ts";
import { RPC_VERSION } from "./meta-operations.ts";
import { mapsCodec } from "./wire-cluster.ts";
import { readBytes, readCount, readFlag, readText } from "./wire-values.ts";

/** The second field of a message whose id is 0. */
export const HELLO = "hello";
export const WELCOME = "welcome";
export const REFUSED = "refused";
export const GOODBYE = "goodbye";
export const MAPS = "maps";
export const LOCK_READY = "lockReady";

/** What proves that a connection belongs to a session. */
export interface SessionKey {
  readonly session: SessionId;
  readonly secret: Uint8Array;
}

/** First message of a client: who it is, and which session it wants to go on with. */
export interface Hello {
  readonly version: number;
  readonly clientName: string;
  readonly resume?: SessionKey;
}

/** First message of the server. `resumed` is false when the session is a new one. */
export interface Welcome {
  readonly key: SessionKey;
  readonly resumed: boolean;
  readonly clusterId: string;
  readonly maps: MapHistory;
}

export function packHello(hello: Hello): Message {
  const { version, clientName, resume } = hello;
  const head = [0, HELLO, version, clientName];
  return resume === undefined ? head : [...head, resume.session, resume.secret];
}

/** What follows the version belongs to it. @throws FsError EPROTO */
export function readHello(message: Message): Hello {
  if (message[0] !== 0 || message[1] !== HELLO) throw new FsError("EPROTO", "expected a hello");
  const version = readCount(message[2], "version");
  if (version !== RPC_VERSION) {
    const text = `this metadata server speaks version ${RPC_VERSION}, the client ${version}`;
    throw new FsError("EPROTO", text);
  }
  const clientName = readText(message[3], MAX_CLIENT_NAME_CHARS, "client name");
  if (message.length < 6) return { version, clientName };
  return { version, clientName, resume: readKey(message[4], message[5]) };
}

export function packWelcome(welcome: Welcome): Message {
  const { key, resumed, clusterId, maps } = welcome;
  return [0, WELCOME, key.session, key.secret, resumed, clusterId, mapsCodec.pack(maps)];
}

export function packRefusal(code: ErrnoName, text: string): Message {
  return [0, REFUSED, code, text];
}

/** @throws FsError what the server refused with, or EPROTO */
export function readWelcome(message: Message): Welcome {
  if (message[0] === 0 && message[1] === REFUSED) throw readError(message[2], message[3]);
  if (message[0] !== 0 || message[1] !== WELCOME) throw new FsError("EPROTO", "expected a welcome");
  return {
    key: readKey(message[2], message[3]),
    resumed: readFlag(message[4], "resumed"),
    clusterId: readText(message[5], 64, "cluster id"),
    maps: mapsCodec.read(message[6]),
  };
}

/**
 * An error as it travels: an errno name and a text for people. It has no stack: this one would only
 * show the decoder, and half the cost of a lookup that finds nothing is taking it.
 */
export function readError(code: unknown, text: unknown): FsError {
  const message = typeof text === "string" ? text : "the metadata server reports an error";
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return new FsError(isErrnoName(code) ? code : "EIO", message);
  } finally {
    Error.stackTraceLimit = limit;
  }
}

function readKey(session: unknown, secret: unknown): SessionKey {
  return {
    session: readCount(session, "session") as SessionId,
    secret: readBytes(secret, "session secret"),
  };
}
