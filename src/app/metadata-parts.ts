// What a metadata server consists of below HTTP, whatever world it stands in: namespace, sessions,
// cluster, users, jobs and RPC over an engine, started in order and stopped in reverse.
import { Accounts, type Principal } from "../auth/accounts.ts";
import { LoginThrottle } from "../auth/login-throttle.ts";
import { Passwords } from "../auth/passwords.ts";
import type { Coding } from "../codec/policy-codecs.ts";
import type { MapNode } from "../domain/cluster-map.ts";
import { DEFAULT_PG_COUNT } from "../domain/format.ts";
import { DEFAULT_POOL } from "../domain/ids.ts";
import { EngineAccountStore } from "../meta/accounts/account-store.ts";
import { formatCluster } from "../meta/cluster/cluster-records.ts";
import { ClusterRegistry } from "../meta/cluster/cluster-registry.ts";
import { NODE_DOWN_AFTER_MS, NODE_OUT_AFTER_MS } from "../meta/cluster/limits.ts";
import type { Engine } from "../meta/engine/engine.ts";
import { formatNamespace } from "../meta/namespace/inodes.ts";
import { NumberRanges } from "../meta/namespace/number-ranges.ts";
import { endJobSessions } from "../meta/session/job-session.ts";
import { SESSION_DEAD_AFTER_MS } from "../meta/session/limits.ts";
import { MetaRpcHost } from "../meta/session/meta-rpc-host.ts";
import { SessionRegistry } from "../meta/session/session-registry.ts";
import type { Log } from "../observability/log.ts";
import type { Clock } from "../platform/clock.ts";
import type { Random } from "../platform/random.ts";
import { CLOSE_REVOKED } from "../protocol/rpc/frame-channel.ts";
import { RpcServer } from "../protocol/rpc/rpc-server.ts";
import type { ClosableShardService } from "../stripes/nodes/node-link.ts";
import { BackgroundJobs, type BackupSchedule, type JobTimings } from "./background-jobs.ts";

const DEFAULT_POLICY = { k: 4, m: 2 };

/** What a metadata server has of the world. */
export interface MetadataWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Makes the client of a node, for the jobs. */
  readonly connect: (node: MapNode, cluster: string) => ClosableShardService;
  readonly coding: Coding;
}

/** Other paces and sizes than usual, for tests. */
export interface MetadataTimings extends JobTimings {
  nodeOutAfterMs?: number;
  pgCount?: number;
}

export interface MetadataOptions {
  /** ordered (default): an answer survives this process; strict: it survives a power cut too. */
  durability?: "ordered" | "strict";
  timings?: MetadataTimings;
  /** Absent: no copies of the metadata are made. */
  backups?: BackupSchedule;
}

export class MetadataParts {
  readonly engine: Engine;
  readonly cluster: ClusterRegistry;
  readonly sessions: SessionRegistry;
  readonly accounts: Accounts;
  readonly jobs: BackgroundJobs;
  readonly clock: Clock;
  readonly nodeOutAfterMs: number;
  /** Gets the connections of clients. */
  readonly rpc: RpcServer<Principal>;
  readonly #stopPushing: () => void;

  private constructor(
    engine: Engine,
    parts: Pick<MetadataParts, "cluster" | "sessions" | "accounts" | "jobs" | "nodeOutAfterMs">,
    { clock, log }: MetadataWorld,
  ) {
    this.engine = engine;
    this.cluster = parts.cluster;
    this.sessions = parts.sessions;
    this.accounts = parts.accounts;
    this.jobs = parts.jobs;
    this.nodeOutAfterMs = parts.nodeOutAfterMs;
    this.clock = clock;
    const host = new MetaRpcHost(this.accounts, this.cluster, this.sessions);
    this.rpc = new RpcServer({ host, clock, log });
    const stops = [host.pushMapChanges(), host.pushDurability(clock)];
    this.#stopPushing = () => {
      for (const stop of stops) stop();
    };
    this.accounts.onRevoked((hashes) => {
      const isRevoked = ({ tokenHash }: Principal): boolean => hashes.includes(tokenHash);
      this.rpc.endWhere(isRevoked, CLOSE_REVOKED, "login revoked");
    });
  }

  /** `engine` stays the caller's until this resolves. */
  static async open(
    engine: Engine,
    world: MetadataWorld,
    { timings = {}, durability, backups }: MetadataOptions,
  ): Promise<MetadataParts> {
    const { clock, random, log } = world;
    const { nodeOutAfterMs = NODE_OUT_AFTER_MS, pgCount = DEFAULT_PG_COUNT } = timings;
    const pool = { id: DEFAULT_POOL, name: "default", pgCount, ...DEFAULT_POLICY };
    const clusterId = random.uuid();
    // Before this start writes anything.
    const mayHaveForgotten = engine.incarnations.at(-1)?.beganAt === engine.position;
    await engine.transact(
      (tx) => {
        formatNamespace(tx, clock.now());
        endJobSessions(tx);
        formatCluster(tx, clusterId, pool);
      },
      { durable: true },
    );
    const cluster = await ClusterRegistry.open({
      engine,
      clock,
      log,
      timings: { nodeDownAfterMs: NODE_DOWN_AFTER_MS, nodeOutAfterMs },
    });
    const sessions = await SessionRegistry.open({
      engine,
      cluster,
      numbers: await NumberRanges.open(engine),
      clock,
      random,
      log,
      strict: durability === "strict",
      sessionDeadAfterMs: SESSION_DEAD_AFTER_MS,
      mayHaveForgotten,
    });
    const accounts = new Accounts({
      store: new EngineAccountStore(engine),
      passwords: new Passwords(),
      throttle: new LoginThrottle(clock),
      clock,
      random,
    });
    const jobs = new BackgroundJobs({
      engine,
      cluster,
      ...world,
      timings,
      ...(backups === undefined ? {} : { backups }),
    });
    return new MetadataParts(engine, { cluster, sessions, accounts, jobs, nodeOutAfterMs }, world);
  }

  start(): void {
    this.cluster.start();
    this.sessions.start();
    this.rpc.start();
    this.jobs.start();
  }

  /** Answers what clients have pending and takes no more; the jobs end. */
  async endWork(): Promise<void> {
    this.engine.endWaits();
    this.#stopPushing();
    // Clients can come no more, and some may be waited for yet.
    await Promise.all([this.rpc.close(), this.sessions.recovery.stop()]);
    await this.jobs.close();
  }

  /** After the work has ended: makes everything durable, stops. */
  async close(): Promise<void> {
    await this.sessions.close();
    await this.cluster.close();
    await this.engine.flush();
    await this.engine.close();
  }
}
