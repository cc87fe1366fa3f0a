// A metadata server, below HTTP, on a disk whose power can be cut, and clients that live on. Time
// is virtual and moves only while something is waited for, so nothing is flushed unasked in
// between.
import type { Accounts, Principal } from "../../auth/accounts.ts";
import { FsError } from "../../domain/errno.ts";
import { DEFAULT_POOL } from "../../domain/ids.ts";
import { formatCluster } from "../../meta/cluster/cluster-records.ts";
import { ClusterRegistry } from "../../meta/cluster/cluster-registry.ts";
import { LmdbEngine } from "../../meta/engine/lmdb-engine.ts";
import { formatNamespace } from "../../meta/namespace/inodes.ts";
import { NumberRanges } from "../../meta/namespace/number-ranges.ts";
import { MetaRpcHost } from "../../meta/session/meta-rpc-host.ts";
import { SessionRegistry } from "../../meta/session/session-registry.ts";
import { silentLog } from "../../observability/log.ts";
import { systemRandom } from "../../platform/random.ts";
import type { MetaSession } from "../../protocol/meta/meta-service.ts";
import { connectMetaSession } from "../../protocol/meta/meta-session-client.ts";
import type { MessageSocket } from "../../protocol/rpc/message-socket.ts";
import { RpcServer } from "../../protocol/rpc/rpc-server.ts";
import { MemoryDisk } from "../disk/memory-disk.ts";
import { FakeClock } from "../fake-clock.ts";
import type { SeededRandom } from "../seeded-random.ts";
import { storesOn } from "../store/disk-store.ts";
import { MemorySocket } from "./memory-sockets.ts";

const DIRECTORY = "/meta";
/** Time goes on in such steps while something is waited for. */
const STEP_MS = 10;
/** Nothing takes longer. */
const MAX_STEPS = 20_000;
const PRINCIPAL: Principal = { user: "tester", role: "admin", client: "test", tokenHash: "" };
const ACCOUNTS: Pick<Accounts, "authenticate"> = { authenticate: async () => PRINCIPAL };

interface Server {
  readonly engine: LmdbEngine;
  readonly rpc: RpcServer<Principal>;
  readonly stop: () => void;
}

/** One client's connections. */
export class Line {
  sockets: MessageSocket[] = [];
  /** False: it reaches nobody. */
  up = true;
  /** Connections that it makes from now on hear the server's welcome, and nothing after it. */
  deaf = false;

  /** The connection breaks; what is under way on it is lost. */
  cut(): void {
    for (const socket of this.sockets.splice(0)) socket.terminate();
  }
}

function deafened(socket: MessageSocket): MessageSocket {
  const listen: MessageSocket["listen"] = (events) => {
    let heard = 0;
    socket.listen({
      message: (frame) => {
        heard += 1;
        if (heard === 1) events.message(frame);
      },
      heard: () => events.heard(),
      closed: (code, reason) => events.closed(code, reason),
    });
  };
  return new Proxy(socket, {
    get: (target, name) => {
      if (name === "listen") return listen;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value as () => void).bind(target) : value;
    },
  });
}

export interface WorldClient {
  readonly session: MetaSession;
  readonly line: Line;
}

export class RollbackWorld implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly #clusterId = systemRandom.uuid();
  readonly #lines: Line[] = [];
  readonly #old: LmdbEngine[] = [];
  #disk = new MemoryDisk();
  #server: Server | undefined;

  static async start(): Promise<RollbackWorld> {
    const world = new RollbackWorld();
    await world.restart();
    return world;
  }

  get engine(): LmdbEngine {
    if (this.#server === undefined) throw new Error("the server is down");
    return this.#server.engine;
  }

  /** Waits while time goes on. */
  async wait<T>(promise: Promise<T>): Promise<T> {
    const progress = { done: false };
    const end = (): void => void (progress.done = true);
    promise.then(end, end);
    for (let steps = 0; ; steps += 1) {
      // Most of what is waited for needs no time at all.
      for (let turns = 0; turns < 20 && !progress.done; turns += 1) await new Promise(setImmediate);
      if (progress.done) return await promise;
      if (steps === MAX_STEPS) throw new Error("waited in vain");
      await this.clock.advance(STEP_MS);
    }
  }

  async connect(): Promise<WorldClient> {
    const line = new Line();
    this.#lines.push(line);
    const session = await this.wait(
      connectMetaSession({
        url: "memory:",
        token: "",
        clientName: `client ${this.#lines.length}`,
        clock: this.clock,
        log: silentLog,
        dial: async () => {
          const server = this.#server;
          if (server === undefined || !line.up) {
            throw new FsError("ECONNREFUSED", "there is no server");
          }
          const [near, far] = MemorySocket.pair();
          line.sockets.push(near, far);
          server.rpc.serve(await server.rpc.admit(undefined), far);
          return line.deaf ? deafened(near) : near;
        },
      }),
    );
    return { session, line };
  }

  /** The server's machine loses power; with `random` some of what wasn't synced is left, torn. */
  cut(random?: SeededRandom): void {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    for (const line of this.#lines) line.cut();
    server.stop();
    // The process of before goes on with a disk of its own, and nobody hears of it.
    this.#old.push(server.engine);
    this.#disk.cut(random);
    this.#disk = this.#disk.copy();
  }

  /** The server's process dies, and loses nothing. */
  kill(): void {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    for (const line of this.#lines) line.cut();
    server.stop();
    this.#old.push(server.engine);
    this.#disk = this.#disk.copy();
  }

  async restart(): Promise<void> {
    this.#server = await this.wait(this.#serve());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    for (const engine of this.#old) await this.wait(engine.close().catch(() => undefined));
  }

  async #serve(): Promise<Server> {
    const { clock } = this;
    const disk = this.#disk;
    const engine = await LmdbEngine.open({
      directory: DIRECTORY,
      clock,
      disk,
      openStore: storesOn(disk),
      random: systemRandom,
    });
    const mayHaveForgotten = engine.incarnations.at(-1)?.beganAt === engine.position;
    await engine.transact(
      (tx) => {
        formatNamespace(tx, clock.now());
        const pool = { id: DEFAULT_POOL, name: "default", k: 4, m: 2, pgCount: 16 };
        formatCluster(tx, this.#clusterId, pool);
      },
      { durable: true },
    );
    const log = silentLog;
    const timings = { nodeDownAfterMs: 5000, nodeOutAfterMs: 60_000 };
    const cluster = await ClusterRegistry.open({ engine, clock, log, timings });
    const sessions = await SessionRegistry.open({
      engine,
      cluster,
      numbers: await NumberRanges.open(engine),
      clock,
      random: systemRandom,
      log,
      strict: false,
      sessionDeadAfterMs: 60_000,
      mayHaveForgotten,
    });
    const host = new MetaRpcHost(ACCOUNTS, cluster, sessions);
    const rpc = new RpcServer({ host, clock, log });
    const stopPushing = host.pushDurability(clock);
    sessions.start();
    rpc.start();
    const stop = (): void => {
      stopPushing();
      void sessions.close();
      void rpc.close();
    };
    return { engine, rpc, stop };
  }
}
