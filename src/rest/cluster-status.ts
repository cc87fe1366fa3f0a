// Puts together what `dfs status` and the console show.
import type { Accounts } from "../auth/accounts.ts";
import { invariant } from "../domain/invariant.ts";
import type { ClusterStatus } from "../protocol/admin/admin-api.ts";
import type { ClusterRegistry } from "../meta/cluster/cluster-registry.ts";
import type { Engine } from "../meta/engine/engine.ts";
import { usageOf } from "../meta/namespace/inodes.ts";
import type { SessionRegistry } from "../meta/session/session-registry.ts";
import { judge } from "./health.ts";

export interface StatusSources {
  readonly engine: Engine;
  readonly cluster: ClusterRegistry;
  readonly sessions: SessionRegistry;
  readonly accounts: Accounts;
  readonly nodeOutAfterMs: number;
  jobsStatus(): ClusterStatus["jobs"];
}

export async function describeCluster(sources: StatusSources): Promise<ClusterStatus> {
  const { engine, cluster, sessions, accounts, nodeOutAfterMs } = sources;
  const usage = await engine.read(usageOf);
  const users = await accounts.countUsers();
  const { epoch, pools } = cluster.current();
  const [pool] = pools;
  invariant(pool !== undefined, "a cluster has a pool", { epoch });
  const nodes = cluster.nodes();
  const dirty = cluster.dirtyGroups().length;
  const total = cluster.groupCount();
  const survivesLosses = cluster.survivableLosses();
  const { usedBytes: storedBytes, totalBytes } = cluster.capacity(pool);
  const { health, problems } = judge({
    nodes,
    pool,
    survivesLosses,
    dirtyGroups: dirty,
    nodeOutAfterMs,
    hasRoom: engine.hasRoom(),
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
    files: usage.inodes,
    usedBytes: usage.bytes,
    totalBytes,
    freeBytes: Math.max(0, totalBytes - storedBytes),
    sessions: sessions.list(),
    users,
    jobs: sources.jobsStatus(),
  };
}
