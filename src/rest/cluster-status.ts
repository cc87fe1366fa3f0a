// Puts together what `dfs status` and the console show.
import type { Accounts } from "../auth/accounts.ts";
import { invariant } from "../domain/invariant.ts";
import type { ClusterStatus } from "../protocol/admin/admin-api.ts";
import { whyReconcile } from "../meta/cluster/cluster-records.ts";
import type { ClusterRegistry } from "../meta/cluster/cluster-registry.ts";
import type { BackupState } from "../jobs/backup/backup-job.ts";
import type { Engine } from "../meta/engine/engine.ts";
import { usageOf } from "../meta/namespace/inodes.ts";
import { gcBacklog } from "../meta/namespace/tombstones.ts";
import type { SessionRegistry } from "../meta/session/session-registry.ts";
import type { Clock } from "../platform/clock.ts";
import { judge } from "./health.ts";

export interface StatusSources {
  readonly engine: Engine;
  readonly cluster: ClusterRegistry;
  readonly sessions: SessionRegistry;
  readonly accounts: Accounts;
  readonly nodeOutAfterMs: number;
  readonly clock: Clock;
  /** Copies of the metadata; undefined where none are made. */
  backups: () => BackupState | undefined;
  jobsReport(): JobsReport;
}

/** What the background jobs say of themselves and of what they saw. */
export interface JobsReport {
  readonly jobs: ClusterStatus["jobs"];
  readonly unreadableBlocks: number;
  readonly unexplainedBlocks: number;
}

export async function describeCluster(sources: StatusSources): Promise<ClusterStatus> {
  const { engine, cluster, sessions, accounts, nodeOutAfterMs, clock } = sources;
  const backups = agesOf(sources.backups(), clock.nowMs());
  const ids = cluster.current().nodes.map(({ id }) => id);
  const { usage, backlog, reconcile } = await engine.read((tx) => {
    return { usage: usageOf(tx), backlog: gcBacklog(tx, ids), reconcile: whyReconcile(tx) };
  });
  const users = await accounts.countUsers();
  const { epoch, pools } = cluster.current();
  const [pool] = pools;
  invariant(pool !== undefined, "a cluster has a pool", { epoch });
  const nodes = cluster.nodes().map((node) => {
    return { ...node, deadSlices: backlog.get(node.id) ?? 0 };
  });
  const { jobs, unreadableBlocks, unexplainedBlocks } = sources.jobsReport();
  const { reports: damageReports, doubtedGroups } = cluster.groups.waiting();
  const seen = { damageReports, doubtedGroups, unreadableBlocks, unexplainedBlocks };
  const concerns = reconcile === undefined ? seen : { ...seen, reconcile };
  const dirty = cluster.groups.dirty().length;
  const total = cluster.groups.count();
  const survivesLosses = cluster.groups.survivableLosses();
  const { usedBytes: storedBytes, totalBytes } = cluster.capacity(pool);
  const { health, problems } = judge({
    nodes,
    pool,
    survivesLosses,
    dirtyGroups: dirty,
    concerns,
    nodeOutAfterMs,
    hasRoom: engine.hasRoom(),
    jobs,
    backups,
  });
  return {
    clusterId: cluster.clusterId,
    epoch,
    health,
    problems,
    survivesLosses,
    pools: pools.map(({ id, name, k, m, pgCount }) => ({ id, name, k, m, pgCount })),
    nodes,
    groups: { total, clean: total - dirty, dirty },
    concerns,
    files: usage.inodes,
    usedBytes: usage.bytes,
    totalBytes,
    freeBytes: Math.max(0, totalBytes - storedBytes),
    sessions: sessions.list(),
    users,
    jobs,
    ...(backups === undefined ? {} : { backups }),
  };
}

function agesOf(made: BackupState | undefined, nowMs: number): ClusterStatus["backups"] {
  if (made === undefined) return undefined;
  const { fileMs, nodesMs } = made;
  return {
    ...(fileMs === undefined ? {} : { fileMsAgo: Math.max(0, nowMs - fileMs) }),
    ...(nodesMs === undefined ? {} : { nodesMsAgo: Math.max(0, nowMs - nodesMs) }),
  };
}
