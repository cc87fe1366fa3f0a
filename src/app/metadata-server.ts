// The composition root of a metadata server: the machine's disk, clock and sockets for its parts,
// HTTP and RPC on one port.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { PolicyCodecs } from "../codec/policy-codecs.ts";
import type { MapNode } from "../domain/cluster-map.ts";
import { FsError } from "../domain/errno.ts";
import { beginNewLife } from "../meta/copies/new-life.ts";
import type { Transaction } from "../meta/engine/engine.ts";
import { LmdbEngine } from "../meta/engine/lmdb-engine.ts";
import { MemoryEngine } from "../meta/engine/memory-engine.ts";
import { createHttpApp } from "../rest/http-app.ts";
import type { Log } from "../observability/log.ts";
import { systemClock, type Clock } from "../platform/clock.ts";
import { systemDisk } from "../platform/disk/system-disk.ts";
import { openLmdbStore } from "../platform/store/open-lmdb-store.ts";
import { systemRandom } from "../platform/random.ts";
import { deferred } from "../platform/flow/deferred.ts";
import { WebSocketEntrance } from "../protocol/rpc/web-sockets.ts";
import { HttpShardService } from "../protocol/shard/shard-http-client.ts";
import { DirectoryCopyFiles } from "./engine-copy-ledger.ts";
import { MetadataParts, type MetadataOptions } from "./metadata-parts.ts";
import "./limit-relations.ts";

const DEFAULT_HOST = "127.0.0.1";
const DEFAULT_PORT = 7400;
/** A stopping server waits this long for answers under way. */
const STOP_GRACE_MS = 1000;

/** Of the data directory: the metadata itself, and copies of it. */
export const METADATA_DIRECTORY = "meta";
const COPIES_DIRECTORY = "copies";

export interface MetadataServerOptions extends Omit<MetadataOptions, "backups"> {
  /** Made if it isn't there; one server at a time. */
  dataDir: string;
  host?: string;
  /** 0: any free one. */
  port?: number;
  engine?: "lmdb" | "memory";
  /** A store that has lost what had been on disk goes on from where it is whole. */
  acceptLoss?: boolean;
  /** How often the metadata is copied (0: only when asked), and how many files are kept. */
  backups?: { readonly everyMs: number; readonly keep: number };
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
  const { clock = systemClock, log } = options;
  // Whoever doesn't wait for it finds out at the next request.
  const { promise: failed, reject: onFailure } = deferred<never>();
  const engine =
    options.engine === "memory"
      ? new MemoryEngine()
      : await LmdbEngine.open({
          directory: join(options.dataDir, METADATA_DIRECTORY),
          clock: systemClock,
          disk: systemDisk,
          openStore: openLmdbStore,
          random: systemRandom,
          log,
          onFailure,
          ...(options.acceptLoss === true ? { acceptLoss: goOnFromLoss } : {}),
        });
  try {
    const world = {
      clock,
      random: systemRandom,
      log,
      connect: ({ url, id: node }: MapNode, cluster: string) =>
        new HttpShardService(url, { clock: systemClock, cluster, node }),
      coding: new PolicyCodecs(),
    };
    const files = new DirectoryCopyFiles(systemDisk, join(options.dataDir, COPIES_DIRECTORY));
    const { backups, ...rest } = options;
    const schedule = backups === undefined ? {} : { backups: { ...backups, files } };
    const parts = await MetadataParts.open(engine, world, { ...rest, ...schedule });
    const server = new MetadataServer(parts, log, failed);
    await server.listen(options.host ?? DEFAULT_HOST, options.port ?? DEFAULT_PORT);
    return server;
  } catch (error) {
    await engine.close();
    throw error;
  }
}

function goOnFromLoss(tx: Transaction): void {
  beginNewLife(tx, "the metadata lost what had been on disk, and was started with --accept-loss");
}

class MetadataServer implements RunningMetadataServer {
  readonly failed: Promise<never>;
  readonly #parts: MetadataParts;
  readonly #log: Log;
  readonly #http: Server;
  #url = "";
  #ready = false;
  #closing: Promise<void> | undefined;

  constructor(parts: MetadataParts, log: Log, failed: Promise<never>) {
    this.failed = failed;
    this.#parts = parts;
    this.#log = log;
    const { engine, cluster, sessions, accounts, nodeOutAfterMs, clock } = parts;
    this.#http = createServer(
      createHttpApp({
        engine,
        clock,
        backup: () => parts.jobs.backUp(),
        backups: () => parts.jobs.backups(),
        cluster,
        sessions,
        accounts,
        nodeOutAfterMs,
        log,
        isReady: () => this.#ready,
        jobsReport: () => parts.jobs.report(),
      }),
    );
    const entrance = new WebSocketEntrance(parts.rpc, log);
    this.#http.on("upgrade", (request, socket, head) => entrance.upgrade(request, socket, head));
  }

  get url(): string {
    return this.#url;
  }

  async listen(host: string, port: number): Promise<void> {
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
    this.#parts.start();
    this.#ready = true;
    const { clusterId } = this.#parts.cluster;
    this.#log.info({ url: this.#url, clusterId }, "metadata server is ready");
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#ready = false;
    const stopped = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    await this.#parts.endWork();
    this.#http.closeIdleConnections();
    const closeAll = (): void => this.#http.closeAllConnections();
    const cancel = this.#parts.clock.after(STOP_GRACE_MS, closeAll);
    await stopped;
    cancel();
    await this.#parts.close();
    this.#log.info("metadata server has stopped");
  }
}
