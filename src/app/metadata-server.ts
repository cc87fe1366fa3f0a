// Composes the metadata server: engine, namespace, sessions, cluster, users, jobs, HTTP and RPC.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Accounts, type Principal } from "../auth/accounts.ts";
import { LoginThrottle } from "../auth/login-throttle.ts";
import { Passwords } from "../auth/passwords.ts";
import { FsError } from "../domain/errno.ts";
import { DEFAULT_POOL } from "../domain/ids.ts";
import { DEFAULT_PG_COUNT } from "../domain/format.ts";
import { NODE_DOWN_AFTER_MS, NODE_OUT_AFTER_MS } from "../meta/cluster/limits.ts";
import { SESSION_DEAD_AFTER_MS } from "../meta/session/limits.ts";
import { formatCluster } from "../meta/cluster/cluster-records.ts";
import { ClusterRegistry } from "../meta/cluster/cluster-registry.ts";
import type { Engine } from "../meta/engine/engine.ts";
import { LmdbEngine } from "../meta/engine/lmdb-engine.ts";
import { MemoryEngine } from "../meta/engine/memory-engine.ts";
import { formatNamespace } from "../meta/namespace/inodes.ts";
import { nowOf } from "../meta/namespace/transactions.ts";
import { EngineAccountStore } from "../meta/accounts/account-store.ts";
import { createHttpApp } from "../rest/http-app.ts";
import { MetaRpcHost } from "../meta/session/meta-rpc-host.ts";
import { endJobSessions } from "../meta/session/job-session.ts";
import { SessionRegistry } from "../meta/session/session-registry.ts";
import type { Log } from "../observability/log.ts";
import { systemClock, type Clock } from "../platform/clock.ts";
import { systemDisk } from "../platform/disk/system-disk.ts";
import { openLmdbStore } from "../platform/store/open-lmdb-store.ts";
import { systemRandom } from "../platform/random.ts";
import { deferred } from "../platform/flow/deferred.ts";
import { CLOSE_REVOKED } from "../protocol/rpc/frame-channel.ts";
import { RpcServer } from "../protocol/rpc/rpc-server.ts";
import { WebSocketEntrance } from "../protocol/rpc/web-sockets.ts";
import { BackgroundJobs, type JobTimings } from "./background-jobs.ts";
import "./limit-relations.ts";

const DEFAULT_HOST = "127.0.0.1";
const DEFAULT_PORT = 7400;
/** A stopping server waits this long for answers under way. */
const STOP_GRACE_MS = 1000;
const DEFAULT_POLICY = { k: 4, m: 2 };

export interface MetadataServerOptions {
  /** Made if it isn't there; one server at a time. */
  dataDir: string;
  host?: string;
  /** 0: any free one. */
  port?: number;
  /** ordered (default): an answer survives this process; strict: it survives a power cut too. */
  durability?: "ordered" | "strict";
  timings?: JobTimings;
  engine?: "lmdb" | "memory";
  clock?: Clock;
  log: Log;
}

export interface RunningMetadataServer {
  readonly url: string;
  /**
   * Rejects when the store has failed, as on a full disk: a new process finds all that was
   * acknowledged.
   */
  readonly failed: Promise<never>;
  /** Answers what is pending, makes everything durable, stops. */
  close(): Promise<void>;
}

/** @throws FsError EBUSY (data directory or port in use), EIO (store damaged) */
export async function startMetadataServer(
  options: MetadataServerOptions,
): Promise<RunningMetadataServer> {
  const { log } = options;
  // Whoever doesn't wait for it finds out at the next request.
  const { promise: failed, reject: onFailure } = deferred<never>();
  const engine =
    options.engine === "memory"
      ? new MemoryEngine()
      : await LmdbEngine.open({
          directory: join(options.dataDir, "meta"),
          clock: systemClock,
          disk: systemDisk,
          openStore: openLmdbStore,
          log,
          onFailure,
        });
  try {
    const parts = await openParts(engine, options);
    const server = new MetadataServer(parts, log, failed);
    await server.listen(options.host ?? DEFAULT_HOST, options.port ?? DEFAULT_PORT);
    return server;
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** What a metadata server consists of. */
interface Parts {
  readonly engine: Engine;
  readonly cluster: ClusterRegistry;
  readonly sessions: SessionRegistry;
  readonly accounts: Accounts;
  readonly jobs: BackgroundJobs;
  readonly clock: Clock;
  readonly nodeOutAfterMs: number;
}

async function openParts(engine: Engine, options: MetadataServerOptions): Promise<Parts> {
  const { clock = systemClock, log, timings = {}, durability } = options;
  const clusterId = systemRandom.uuid();
  await engine.transact(
    (tx) => {
      formatNamespace(tx, nowOf({ clock }));
      endJobSessions(tx);
      formatCluster(tx, clusterId, {
        id: DEFAULT_POOL,
        name: "default",
        pgCount: DEFAULT_PG_COUNT,
        ...DEFAULT_POLICY,
      });
    },
    { durable: true },
  );
  const cluster = await ClusterRegistry.open({
    engine,
    clock,
    log,
    timings: { nodeDownAfterMs: NODE_DOWN_AFTER_MS, nodeOutAfterMs: NODE_OUT_AFTER_MS },
  });
  const sessions = await SessionRegistry.open({
    engine,
    cluster,
    clock,
    random: systemRandom,
    log,
    strict: durability === "strict",
    sessionDeadAfterMs: SESSION_DEAD_AFTER_MS,
  });
  const accounts = new Accounts({
    store: new EngineAccountStore(engine),
    passwords: new Passwords(),
    throttle: new LoginThrottle(clock),
    clock,
    random: systemRandom,
  });
  const jobs = new BackgroundJobs({ engine, cluster, clock, log, timings });
  return { engine, cluster, sessions, accounts, jobs, clock, nodeOutAfterMs: NODE_OUT_AFTER_MS };
}

class MetadataServer implements RunningMetadataServer {
  readonly failed: Promise<never>;
  readonly #parts: Parts;
  readonly #log: Log;
  readonly #http: Server;
  readonly #rpc: RpcServer<Principal>;
  readonly #stopPushing: () => void;
  #url = "";
  #ready = false;
  #closing: Promise<void> | undefined;

  constructor(parts: Parts, log: Log, failed: Promise<never>) {
    this.failed = failed;
    this.#parts = parts;
    this.#log = log;
    const { accounts, cluster, sessions, clock } = parts;
    const host = new MetaRpcHost(accounts, cluster, sessions);
    const rpc = new RpcServer({ host, clock, log });
    this.#rpc = rpc;
    this.#stopPushing = host.pushMapChanges();
    accounts.onRevoked((hashes) => {
      rpc.endWhere(({ tokenHash }) => hashes.includes(tokenHash), CLOSE_REVOKED, "login revoked");
    });
    this.#http = createServer(
      createHttpApp({
        ...parts,
        log,
        isReady: () => this.#ready,
        jobsStatus: () => parts.jobs.status().jobs,
      }),
    );
    const entrance = new WebSocketEntrance(rpc, log);
    this.#http.on("upgrade", (request, socket, head) => entrance.upgrade(request, socket, head));
  }

  get url(): string {
    return this.#url;
  }

  async listen(host: string, port: number): Promise<void> {
    const { cluster, sessions, jobs } = this.#parts;
    const server = this.#http;
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause: NodeJS.ErrnoException) => {
        const taken = cause.code === "EADDRINUSE";
        const why = taken
          ? `port ${port} is in use on ${host}`
          : `cannot listen on ${host}:${port}`;
        reject(new FsError(taken ? "EBUSY" : "EINVAL", why, { cause }));
      });
      server.listen(port, host, resolve);
    });
    // A TCP server's address is never a pipe's name.
    const address = server.address() as AddressInfo;
    const name = address.family === "IPv6" ? `[${address.address}]` : address.address;
    this.#url = `http://${name}:${address.port}`;
    cluster.start();
    sessions.start();
    this.#rpc.start();
    jobs.start();
    this.#ready = true;
    this.#log.info({ url: this.#url, clusterId: cluster.clusterId }, "metadata server is ready");
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { engine, cluster, sessions, jobs, clock } = this.#parts;
    this.#ready = false;
    engine.endWaits();
    this.#stopPushing();
    const stopped = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    await this.#rpc.close();
    await jobs.close();
    this.#http.closeIdleConnections();
    const cancel = clock.after(STOP_GRACE_MS, () => this.#http.closeAllConnections());
    await stopped;
    cancel();
    await sessions.close();
    await cluster.close();
    await engine.flush();
    await engine.close();
    this.#log.info("metadata server has stopped");
  }
}
