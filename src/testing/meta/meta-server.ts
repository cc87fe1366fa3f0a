// A metadata server in this process, over the memory engine, with an admin who is logged in; and a
// MetaService without any socket.
import { startMetadataServer, type MetadataServerOptions } from "../../app/metadata-server.ts";
import { DEFAULT_POOL } from "../../domain/ids.ts";
import { formatCluster } from "../../meta/cluster/cluster-records.ts";
import { ClusterRegistry } from "../../meta/cluster/cluster-registry.ts";
import type { Engine } from "../../meta/engine/engine.ts";
import { MemoryEngine } from "../../meta/engine/memory-engine.ts";
import { formatNamespace } from "../../meta/namespace/inodes.ts";
import { NumberRanges } from "../../meta/namespace/number-ranges.ts";
import { SessionRegistry, type Session } from "../../meta/session/session-registry.ts";
import { silentLog } from "../../observability/log.ts";
import { systemClock, type Clock } from "../../platform/clock.ts";
import { systemRandom } from "../../platform/random.ts";
import { AdminClient } from "../../protocol/admin/admin-client.ts";
import { connectMetaSession } from "../../protocol/meta/meta-session-client.ts";
import { dialWebSocket } from "../../protocol/rpc/web-sockets.ts";
import { makeMetaService } from "../../protocol/meta/meta-calls.ts";
import type { MetaArgs } from "../../protocol/meta/meta-operations.ts";
import type { MetaService, MetaSession } from "../../protocol/meta/meta-service.ts";
import { FakeClock } from "../fake-clock.ts";
import { invoke } from "./invoke.ts";

export const TEST_USER = "tester";
export const TEST_PASSWORD = "correct horse";

/** A server that is gone at the end of the `await using` block, sessions first. */
export class TestMetaServer implements AsyncDisposable {
  readonly url: string;
  readonly token: string;
  readonly #close: () => Promise<void>;
  readonly #sessions: MetaSession[] = [];

  private constructor(url: string, token: string, close: () => Promise<void>) {
    this.url = url;
    this.token = token;
    this.#close = close;
  }

  static start(options: Partial<MetadataServerOptions> = {}): Promise<TestMetaServer> {
    return TestMetaServer.#start(options, firstLogin);
  }

  /** Over metadata of another TestMetaServer, whose admin logs in anew. */
  static startAgain(options: Partial<MetadataServerOptions>): Promise<TestMetaServer> {
    return TestMetaServer.#start(options, nextLogin);
  }

  static async #start(
    options: Partial<MetadataServerOptions>,
    login: (url: string) => Promise<string>,
  ): Promise<TestMetaServer> {
    const server = await startMetadataServer({
      dataDir: "/nowhere",
      engine: "memory",
      port: 0,
      log: silentLog,
      ...options,
    });
    const token = await login(server.url);
    return new TestMetaServer(server.url, token, () => server.close());
  }

  /** As the logged-in admin. */
  get admin(): AdminClient {
    return new AdminClient(this.url, this.token);
  }

  /** A session of its own, closed with the server. */
  async connect(): Promise<MetaSession> {
    const session = await connectMetaSession({
      clock: systemClock,
      url: this.url,
      token: this.token,
      dial: dialWebSocket,
      clientName: "test",
      log: silentLog,
    });
    this.#sessions.push(session);
    return session;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#sessions.map((session) => session.close()));
    await this.#close();
  }
}

/** Makes the first admin, TEST_USER, and logs in. Returns the token. */
export async function firstLogin(url: string): Promise<string> {
  await new AdminClient(url).addUser(TEST_USER, TEST_PASSWORD);
  return nextLogin(url);
}

async function nextLogin(url: string): Promise<string> {
  return (await new AdminClient(url).login(TEST_USER, TEST_PASSWORD, "test")).token;
}

/** The parts of a metadata server below HTTP and RPC; over the memory engine unless told. */
export interface LocalMeta {
  readonly engine: Engine;
  readonly cluster: ClusterRegistry;
  readonly sessions: SessionRegistry;
  /** A new session's service, without any socket. */
  newSession(): Promise<MetaService & { readonly session: Session }>;
}

export interface LocalMetaOptions {
  clock?: Clock;
  engine?: Engine;
  pgCount?: number;
  sessionDeadAfterMs?: number;
  nodeDownAfterMs?: number;
  nodeOutAfterMs?: number;
  mayHaveForgotten?: boolean;
}

/** Timers are not started: call `cluster.start()` or `sessions.start()` where a test wants them. */
export async function openLocalMeta(options: LocalMetaOptions = {}): Promise<LocalMeta> {
  const { clock = new FakeClock(), engine = new MemoryEngine(), pgCount = 16 } = options;
  await engine.transact((tx) => {
    formatNamespace(tx, clock.now());
    formatCluster(tx, systemRandom.uuid(), {
      id: DEFAULT_POOL,
      name: "default",
      k: 4,
      m: 2,
      pgCount,
    });
  });
  const log = silentLog;
  const { nodeDownAfterMs = 5000, nodeOutAfterMs = 60_000, sessionDeadAfterMs = 60_000 } = options;
  const timings = { nodeDownAfterMs, nodeOutAfterMs };
  const cluster = await ClusterRegistry.open({ engine, clock, log, timings });
  const sessions = await SessionRegistry.open({
    engine,
    cluster,
    numbers: await NumberRanges.open(engine),
    clock,
    random: systemRandom,
    log,
    strict: false,
    sessionDeadAfterMs,
    mayHaveForgotten: options.mayHaveForgotten ?? false,
  });
  return {
    engine,
    cluster,
    sessions,
    newSession: async () => {
      const { session } = await sessions.begin("tester", "local");
      return { ...serviceOf(session), session };
    },
  };
}

/** The service of a session in this process. */
export function serviceOf({ requests }: Session): MetaService {
  return makeMetaService(async ({ name }, args) => {
    // Each method is called with the arguments that its type asks for.
    return await invoke(requests, name, args as MetaArgs<typeof name>);
  });
}
