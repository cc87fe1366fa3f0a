// Judges the cluster: one word for its health, and each problem with what to do about it.
import type { Pool } from "../domain/cluster-map.ts";
import type { ClusterStatus, Health } from "../protocol/admin/admin-api.ts";

export type Problem = ClusterStatus["problems"][number];
export type NodeStatus = ClusterStatus["nodes"][number];

export interface HealthFacts {
  readonly nodes: readonly NodeStatus[];
  readonly pool: Pool;
  /** -1: some data can't be read. */
  readonly survivesLosses: number;
  readonly dirtyGroups: number;
  readonly concerns: ClusterStatus["concerns"];
  readonly nodeOutAfterMs: number;
  /** The metadata store has space left. */
  readonly hasRoom: boolean;
  readonly jobs: ClusterStatus["jobs"];
  /** Copies of the metadata; undefined where none are made. */
  readonly backups: ClusterStatus["backups"];
}

/** Nodes fuller than this have no room for repair. */
const FULL_SHARE = 0.9;

export function judge(facts: HealthFacts): { health: Health; problems: Problem[] } {
  const { nodes, survivesLosses } = facts;
  if (nodes.length === 0) {
    const what = "No storage node has joined yet, so nothing can be stored.";
    const todo = "Start some: dfs node --meta URL --data DIR (six for 4+2).";
    return { health: "unavailable", problems: [{ what, todo }] };
  }
  const problems = [
    ...unreadableProblem(facts),
    ...nodes.flatMap((node) => nodeProblems(node, facts)),
    ...toleranceProblems(facts),
    ...concernProblems(facts),
    ...roomProblem(facts),
    ...backupProblem(facts),
  ];
  if (survivesLosses < 0 || facts.concerns.unreadableBlocks > 0)
    return { health: "unavailable", problems };
  if (survivesLosses === 0 && possibleLosses(facts) > 0) return { health: "critical", problems };
  return { health: problems.length > 0 ? "degraded" : "ok", problems };
}

/** Losses that data survives when every node that isn't out is up and all is in place. */
function possibleLosses({ nodes, pool }: HealthFacts): number {
  const holding = nodes.filter(({ state }) => state !== "out").length;
  return Math.floor(pool.m / Math.ceil((pool.k + pool.m) / holding));
}

function roomProblem({ hasRoom }: HealthFacts): Problem[] {
  if (hasRoom) return [];
  const what = "The metadata server's disk is full: nothing can be written, only read and deleted.";
  return [{ what, todo: "Free space on the disk of its --data directory, or delete files." }];
}

function concernProblems({ concerns, pool }: HealthFacts): Problem[] {
  const { damageReports, doubtedGroups, unreadableBlocks, reconcile } = concerns;
  const problems: Problem[] = [];
  if (unreadableBlocks > 0) {
    problems.push({
      what:
        `${unreadableBlocks} blocks cannot be read though every node answers: more of their ` +
        `shards are lost than ${pool.k}+${pool.m} coding covers.`,
      todo: "Bring back the disks that had them, or write those files anew from a copy.",
    });
  }
  if (damageReports > 0) {
    problems.push({
      what: `${damageReports} reports of missing or corrupt shards wait for repair.`,
      todo: "Nothing while all nodes are up: repair checks each of them and rebuilds what it must.",
    });
  }
  if (doubtedGroups > 0) {
    problems.push({
      what: `Nodes have restarted, and ${doubtedGroups} placement groups wait to be checked.`,
      todo: "Nothing while all nodes are up: repair asks them for every shard.",
    });
  }
  if (reconcile !== undefined) {
    problems.push({
      what: `The metadata may know less than it once did (${reconcile}): no orphan is deleted.`,
      todo: "Start every node: a survey that has seen them all ends this.",
    });
  }
  return problems;
}

function backupProblem({ jobs, backups }: HealthFacts): Problem[] {
  const failure = jobs.find(({ name }) => name === "backup")?.lastError;
  if (backups === undefined || failure === undefined) return [];
  const newestMs = backups.nodesMsAgo ?? backups.fileMsAgo;
  const age = newestMs === undefined ? "none has been made" : `the newest is of ${ago(newestMs)}`;
  return [
    {
      what: `The metadata could not be copied, ${age}: ${failure}`,
      todo: "It is tried again. Free space on the metadata server's disk, or start missing nodes.",
    },
  ];
}

function ago(spanMs: number): string {
  const minutes = Math.round(spanMs / 60_000);
  return minutes < 120 ? `${minutes} min ago` : `${Math.round(minutes / 60)} h ago`;
}

function unreadableProblem({ survivesLosses, pool, nodes }: HealthFacts): Problem[] {
  if (survivesLosses >= 0) return [];
  const gone = nodes.filter(({ state }) => state === "down" || state === "out").length;
  const what =
    `More nodes are gone (${gone}) than ${pool.k}+${pool.m} coding covers: ` +
    "some files cannot be read, and reading them gives an I/O error.";
  return [{ what, todo: "Bring nodes back; their data is used again as soon as they are up." }];
}

function nodeProblems(node: NodeStatus, facts: HealthFacts): Problem[] {
  const problems: Problem[] = [];
  const name = `Node ${node.id} (${node.url})`;
  if (node.state === "down") {
    const minutes = Math.max(1, Math.round(facts.nodeOutAfterMs / 60_000));
    problems.push({
      what: `${name} is down${sinceWhen(node)}.`,
      todo: `Start it again. After ${minutes} min down its share is rebuilt on other nodes.`,
    });
  }
  if (node.state === "out") {
    problems.push({
      what: `${name} is out${sinceWhen(node)}; its share is kept by the other nodes.`,
      todo: "Start it again if its disk is good, or add another node in its place.",
    });
  }
  if (node.quarantined > 0) {
    problems.push({
      what: `${name} has put ${node.quarantined} corrupt shards aside.`,
      todo: "Repair rebuilds them by itself; if the number grows, replace the disk.",
    });
  }
  if (node.state !== "out" && node.usedBytes > node.capacityBytes * FULL_SHARE) {
    const percent = Math.round((node.usedBytes / Math.max(1, node.capacityBytes)) * 100);
    problems.push({
      what: `${name} is ${percent}% full.`,
      todo: "Add nodes, give it more space, or delete files.",
    });
  }
  return problems;
}

function sinceWhen({ lastSeenMsAgo }: NodeStatus): string {
  if (lastSeenMsAgo === undefined) return ", not seen since this metadata server started";
  return `, last seen ${Math.round(lastSeenMsAgo / 1000)} s ago`;
}

function toleranceProblems(facts: HealthFacts): Problem[] {
  const { survivesLosses, dirtyGroups, pool, nodes } = facts;
  const possible = possibleLosses(facts);
  if (possible === 0) {
    const wanted = Math.ceil((pool.k + pool.m) / Math.max(1, pool.m));
    const what = `With ${nodes.length} node(s), losing any one of them loses data.`;
    const todo =
      pool.m === 0
        ? "Create a pool with parity shards."
        : `Add nodes: ${wanted} survive one loss, ${pool.k + pool.m} survive ${pool.m}.`;
    return [{ what, todo }];
  }
  const allUp = nodes.every(({ state }) => state === "up" || state === "draining");
  if (survivesLosses < 0 || survivesLosses >= possible || !allUp) return [];
  return [
    {
      what: `${dirtyGroups} placement groups wait for repair to bring their shards home.`,
      todo: "Nothing; repair works on them by itself. Look again in a while.",
    },
  ];
}
