// A client's session with the metadata server: MetaService over the RPC link.
import type { MetaEvents, MetaSession } from "./meta-service.ts";
import { MAX_CLIENT_NAME_CHARS } from "../../domain/limits.ts";
import { RPC_ANSWER_TIMEOUT_MS } from "./limits.ts";
import type { Log } from "../../observability/log.ts";
import { systemClock, type Clock } from "../../platform/clock.ts";
import { makeMetaService } from "./meta-calls.ts";
import { MetaLink } from "./meta-link.ts";

export interface ConnectOptions {
  /** Base URL of the metadata server. */
  url: string;
  token: string;
  /** How the session is called in lists and logs. */
  clientName: string;
  log: Log;
  clock?: Clock;
  /** How long a request may go without an answer before it fails with ETIMEDOUT. */
  answerTimeoutMs?: number;
}

type Listeners = { readonly [K in keyof MetaEvents]: Set<MetaEvents[K]> };

/**
 * Connects and begins a session, which then outlives broken connections and server restarts.
 * @throws FsError EACCES (token refused), EPROTO (other version), ECONNREFUSED or ETIMEDOUT
 */
export async function connectMetaSession(options: ConnectOptions): Promise<MetaSession> {
  const { clock = systemClock, answerTimeoutMs = RPC_ANSWER_TIMEOUT_MS } = options;
  const clientName = options.clientName.slice(0, MAX_CLIENT_NAME_CHARS);
  const listeners: Listeners = {
    mapChanged: new Set(),
    sessionLost: new Set(),
    resumed: new Set(),
    lockReady: new Set(),
  };
  const link = new MetaLink(
    { ...options, clock, answerTimeoutMs, clientName },
    {
      mapChanged: (maps) => {
        for (const listener of listeners.mapChanged) listener(maps);
      },
      sessionLost: () => {
        for (const listener of listeners.sessionLost) listener();
      },
      resumed: () => {
        for (const listener of listeners.resumed) listener();
      },
      lockReady: (wait) => {
        for (const listener of listeners.lockReady) listener(wait);
      },
    },
  );
  await link.start();
  return {
    ...makeMetaService((operation, args) => link.call(operation, args)),
    on: (event, listener) => {
      listeners[event].add(listener);
    },
    close: () => link.close(),
    [Symbol.asyncDispose]: () => link.close(),
  };
}
