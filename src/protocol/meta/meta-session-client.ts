// A client's session with the metadata server: MetaService over the RPC link.
import type { MetaEvents, MetaSession } from "./meta-service.ts";
import { FsError } from "../../domain/errno.ts";
import { MAX_CLIENT_NAME_CHARS } from "../../domain/limits.ts";
import { RPC_ANSWER_TIMEOUT_MS } from "./limits.ts";
import type { Log } from "../../observability/log.ts";
import { systemClock, type Clock } from "../../platform/clock.ts";
import { MetaLink } from "./meta-link.ts";
import { WIRE_METHODS, type MetaArgs, type MetaMethod, type MetaResult } from "./methods.ts";

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

/**
 * Connects and begins a session, which then outlives broken connections and server restarts.
 * @throws FsError EACCES (token refused), EPROTO (other version), ECONNREFUSED or ETIMEDOUT
 */
export async function connectMetaSession(options: ConnectOptions): Promise<MetaSession> {
  return await openRpcSession(options);
}

/** As connectMetaSession, for those who want to break the connection on purpose. */
export async function openRpcSession(options: ConnectOptions): Promise<RpcMetaSession> {
  const session = new RpcMetaSession(options);
  await session.start();
  return session;
}

type Listeners = { readonly [K in keyof MetaEvents]: Set<MetaEvents[K]> };
type Method<M extends MetaMethod> = (...args: MetaArgs<M>) => Promise<MetaResult<M>>;

export class RpcMetaSession implements MetaSession {
  readonly #link: MetaLink;
  readonly #listeners: Listeners = {
    mapChanged: new Set(),
    sessionLost: new Set(),
    resumed: new Set(),
    lockReady: new Set(),
  };

  constructor(options: ConnectOptions) {
    const { clock = systemClock, answerTimeoutMs = RPC_ANSWER_TIMEOUT_MS } = options;
    this.#link = new MetaLink(
      {
        ...options,
        clock,
        answerTimeoutMs,
        clientName: options.clientName.slice(0, MAX_CLIENT_NAME_CHARS),
      },
      {
        mapChanged: (maps) => {
          for (const listener of this.#listeners.mapChanged) listener(maps);
        },
        sessionLost: () => {
          for (const listener of this.#listeners.sessionLost) listener();
        },
        resumed: () => {
          for (const listener of this.#listeners.resumed) listener();
        },
        lockReady: (wait) => {
          for (const listener of this.#listeners.lockReady) listener(wait);
        },
      },
    );
  }

  start(): Promise<void> {
    return this.#link.start();
  }

  on<K extends keyof MetaEvents>(event: K, listener: MetaEvents[K]): void {
    const listeners: Set<MetaEvents[K]> = this.#listeners[event];
    listeners.add(listener);
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Cuts the connection, as a broken network does. For tests. */
  breakConnection(): void {
    this.#link.breakConnection();
  }

  readonly lookup = this.#method("lookup");
  readonly getattr = this.#method("getattr");
  readonly setattr = this.#method("setattr");
  readonly create = this.#method("create");
  readonly mkdir = this.#method("mkdir");
  readonly mknod = this.#method("mknod");
  readonly symlink = this.#method("symlink");
  readonly readlink = this.#method("readlink");
  readonly link = this.#method("link");
  readonly unlink = this.#method("unlink");
  readonly rmdir = this.#method("rmdir");
  readonly rename = this.#method("rename");
  readonly readdir = this.#method("readdir");
  readonly parentOf = this.#method("parentOf");
  readonly open = this.#method("open");
  readonly release = this.#method("release");
  readonly extents = this.#method("extents");
  readonly commit = this.#method("commit");
  readonly allocateSlices = this.#method("allocateSlices");
  readonly syncMetadata = this.#method("syncMetadata");
  readonly getxattr = this.#method("getxattr");
  readonly setxattr = this.#method("setxattr");
  readonly listxattr = this.#method("listxattr");
  readonly abandon = this.#method("abandon");
  readonly removexattr = this.#method("removexattr");
  readonly statfs = this.#method("statfs");
  readonly maps = this.#method("maps");
  readonly createUnnamed = this.#method("createUnnamed");
  readonly nextData = this.#method("nextData");
  readonly changeRange = this.#method("changeRange");
  readonly copyRange = this.#method("copyRange");
  readonly getlk = this.#method("getlk");
  readonly setlk = this.#method("setlk");
  readonly cancelLock = this.#method("cancelLock");
  readonly reportDamage = this.#method("reportDamage");

  #method<M extends MetaMethod>(name: M): Method<M> {
    const method = WIRE_METHODS.find((candidate) => candidate.name === name);
    if (method === undefined) throw new FsError("ENOSYS", `no method ${name}`);
    // The method's own codec reads its result.
    return (...args) => this.#link.call(method, args) as Promise<MetaResult<M>>;
  }
}
