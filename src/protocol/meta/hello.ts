// The greeting that begins every connection with the metadata server.
import { FsError } from "../../domain/errno.ts";
import type { MapHistory } from "../../domain/cluster-map.ts";
import type { SessionId } from "../../domain/ids.ts";
import { MAX_CLIENT_NAME_CHARS } from "../../domain/limits.ts";
import type { Incarnation } from "../rpc/acknowledged.ts";
import { HELLO, WELCOME, type SessionKey } from "../rpc/control-messages.ts";
import type { Message } from "../rpc/frame-channel.ts";
import { MAX_INCARNATION_CHARS } from "../rpc/redo.ts";
import type { SessionWelcome } from "../rpc/session-link.ts";
import { RPC_VERSION } from "./meta-operations.ts";
import { mapsCodec } from "./wire-cluster.ts";
import { readBytes, readCount, readFlag, readList, readText } from "../rpc/wire-readers.ts";

/** Far more than a server keeps. */
const MAX_TOLD_INCARNATIONS = 4096;

/** First message of a client: who it is, and which session it wants to go on with. */
export interface Hello {
  readonly clientName: string;
  readonly resume?: SessionKey;
}

/** First message of the server. */
export interface Welcome extends SessionWelcome {
  readonly clusterId: string;
  readonly maps: MapHistory;
}

export function packHello({ clientName, resume }: Hello): Message {
  const head = [0, HELLO, RPC_VERSION, clientName];
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
  if (message.length < 6) return { clientName };
  return { clientName, resume: readKey(message[4], message[5]) };
}

export function packWelcome(welcome: Welcome): Message {
  const { key, resumed, clusterId, maps, history } = welcome;
  const head = [0, WELCOME, key.session, key.secret, resumed, clusterId, mapsCodec.pack(maps)];
  const incarnations = history.incarnations.map(({ id, beganAt }) => [id, beganAt]);
  return [...head, incarnations, history.durablePosition];
}

/** @throws FsError EPROTO */
export function readWelcome(message: Message): Welcome {
  if (message[0] !== 0 || message[1] !== WELCOME) throw new FsError("EPROTO", "expected a welcome");
  return {
    key: readKey(message[2], message[3]),
    resumed: readFlag(message[4], "resumed"),
    clusterId: readText(message[5], 64, "cluster id"),
    maps: mapsCodec.read(message[6]),
    history: {
      incarnations: readList(message[7], MAX_TOLD_INCARNATIONS, "incarnations").map(
        readIncarnation,
      ),
      durablePosition: readCount(message[8], "position"),
    },
  };
}

function readIncarnation(value: unknown): Incarnation {
  const [id, beganAt] = readList(value, 2, "incarnation");
  return {
    id: readText(id, MAX_INCARNATION_CHARS, "incarnation"),
    beganAt: readCount(beganAt, "position"),
  };
}

function readKey(session: unknown, secret: unknown): SessionKey {
  return {
    session: readCount(session, "session") as SessionId,
    secret: readBytes(secret, "session secret"),
  };
}
