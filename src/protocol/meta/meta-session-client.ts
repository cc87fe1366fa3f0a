// A client's session with the metadata server: MetaService over the RPC link.
import type { MapHistory } from "../../domain/cluster-map.ts";
import { FsError } from "../../domain/errno.ts";
import { invariant } from "../../domain/invariant.ts";
import { MAX_CLIENT_NAME_CHARS } from "../../domain/limits.ts";
import { RPC_ANSWER_TIMEOUT_MS } from "./limits.ts";
import type { Log } from "../../observability/log.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Dial } from "../rpc/message-socket.ts";
import { SessionLink } from "../rpc/session-link.ts";
import { packHello, readWelcome, type Welcome } from "./hello.ts";
import { lostChangeOf } from "./lost-changes.ts";
import { makeMetaService, operationNamed } from "./meta-calls.ts";
import { readPush, type Push } from "./meta-pushes.ts";
import type { MetaSession } from "./meta-service.ts";
import { SessionListeners } from "./session-listeners.ts";

export interface ConnectOptions {
  /** Base URL of the metadata server. */
  url: string;
  token: string;
  dial: Dial;
  /** How the session is called in lists and logs. */
  clientName: string;
  log: Log;
  clock: Clock;
}

/**
 * Connects and begins a session, which then outlives broken connections and server restarts.
 * @throws FsError EACCES (token refused), EPROTO (other version), ECONNREFUSED or ETIMEDOUT
 */
export async function connectMetaSession(options: ConnectOptions): Promise<MetaSession> {
  const clientName = options.clientName.slice(0, MAX_CLIENT_NAME_CHARS);
  const listeners = new SessionListeners();
  let epoch = -1;
  const learnMaps = (maps: MapHistory): void => {
    if (maps.current.epoch <= epoch) return;
    epoch = maps.current.epoch;
    listeners.pushed("mapChanged", maps);
  };
  const pushed: Push = (name, value) => {
    // Each value is of the type that its name says.
    if (name === "mapChanged") learnMaps(value as MapHistory);
    else if (name === "durable") link.durable(value as number);
    else listeners.pushed(name, value);
  };
  const own: { clusterId?: string } = {};
  /** A server that answers where ours did needn't be ours. */
  const ownWelcome = (welcome: Welcome): Welcome => {
    own.clusterId ??= welcome.clusterId;
    if (welcome.clusterId === own.clusterId) return welcome;
    const text = `the metadata server at ${options.url} is cluster ${welcome.clusterId}'s now`;
    throw new FsError("EPROTO", `${text}, and this session is cluster ${own.clusterId}'s`);
  };
  const link = new SessionLink<Welcome>(
    {
      ...options,
      answerTimeoutMs: RPC_ANSWER_TIMEOUT_MS,
      flush: operationNamed("syncMetadata"),
      hello: (resume) => packHello({ clientName, ...(resume === undefined ? {} : { resume }) }),
      readWelcome: (message) => ownWelcome(readWelcome(message)),
    },
    {
      rolledBack: (calls) => {
        const lost = calls.map(lostChangeOf);
        for (const { operation, inos, error } of lost) {
          options.log.error(
            { err: error, operation, inos },
            "a power cut of the server undid this",
          );
        }
        listeners.rolledBack(lost);
      },
      sessionLost: () => listeners.happened("sessionLost"),
      resumed: () => listeners.happened("resumed"),
      welcomed: ({ maps }) => learnMaps(maps),
      pushed: (message) => readPush(message, pushed),
    },
  );
  await link.start();
  const { clusterId } = own;
  invariant(clusterId !== undefined, "a welcome names the cluster");
  return {
    clusterId,
    ...makeMetaService((operation, args) => link.call(operation, args)),
    on: (event, listener) => listeners.on(event, listener),
    close: () => link.close(),
    [Symbol.asyncDispose]: () => link.close(),
  };
}
