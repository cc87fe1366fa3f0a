// dfs status: one screen that says what is wrong and what to do.
import type { Command } from "commander";
import { AdminClient } from "../../protocol/admin/admin-client.ts";
import type { ClusterStatus } from "../../protocol/admin/admin-api.ts";
import { requireLogin } from "../session/credentials.ts";
import { EXIT } from "../terminal/exit-codes.ts";
import { addJsonOption, addMetaOption } from "../terminal/options.ts";
import { formatTable, printJson, printLine } from "../terminal/output.ts";
import { formatBytes, formatSpan } from "../terminal/sizes.ts";

interface StatusOptions {
  meta?: string;
  json?: boolean;
}

export function define(command: Command): void {
  addJsonOption(addMetaOption(command)).action(status);
}

async function status(options: StatusOptions): Promise<void> {
  const { url, token } = await requireLogin(options.meta);
  const cluster = await new AdminClient(url, token).status();
  if (options.json === true) printJson(cluster);
  else printLine(formatStatus(cluster, url));
  if (cluster.health !== "ok") process.exitCode = EXIT.degraded;
}

/** The whole screen; pure, so that it can be tested without a cluster. */
export function formatStatus(cluster: ClusterStatus, url: string): string {
  const health = cluster.health === "ok" ? "healthy" : cluster.health;
  const lines = [
    `${health}: ${survivalText(cluster.survivesLosses)}`,
    `${url}: ${cluster.files} files, ${formatBytes(cluster.usedBytes)} used, ` +
      `${formatBytes(cluster.freeBytes)} free`,
  ];
  for (const problem of cluster.problems) {
    lines.push(`  problem: ${problem.what}`, `  what to do: ${problem.todo}`);
  }
  const rows: (string | number)[][] = [
    ["node", "state", "zone", "used", "capacity", "last seen", "url"],
  ];
  for (const node of cluster.nodes.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    const seen = node.lastSeenMsAgo === undefined ? "never" : formatSpan(node.lastSeenMsAgo);
    rows.push([
      node.id,
      node.state,
      node.zone === "" ? "-" : node.zone,
      formatBytes(node.usedBytes),
      formatBytes(node.capacityBytes),
      seen,
      node.url,
    ]);
  }
  lines.push("", formatTable(rows), ...waitingLines(cluster));
  if (cluster.backups !== undefined) lines.push("", backupLine(cluster.backups));
  if (cluster.jobs.length > 0) lines.push("", ...jobLines(cluster.jobs));
  return lines.join("\n");
}

/** What is nobody's fault and nothing to be done about, but should be known. */
function waitingLines({ nodes, groups, concerns }: ClusterStatus): string[] {
  const lines: string[] = [];
  if (groups.dirty > 0) lines.push(`  ${groups.dirty} of ${groups.total} groups are not clean`);
  for (const { id, state, deadSlices } of nodes) {
    if (deadSlices === 0 || state === "up" || state === "draining") continue;
    lines.push(`  shards of ${deadSlices} deleted slices wait for node ${id}, which is ${state}`);
  }
  for (const { id, parked, parkedBytes } of nodes) {
    if (parked === 0) continue;
    lines.push(`  node ${id} has ${parked} shards in its trash, ${formatBytes(parkedBytes)}`);
  }
  if (concerns.unexplainedBlocks > 0) {
    lines.push(`  ${concerns.unexplainedBlocks} blocks belong to nothing that is known; they stay`);
  }
  return lines;
}

/** In what each job counts: what waits, and what is done. */
const JOB_UNITS: Readonly<Record<string, readonly [waiting: string, done: string]>> = {
  repair: ["groups", "shards rebuilt"],
  survey: ["groups", "surveys"],
  gc: ["dead slices", "slices deleted"],
  compaction: ["chunks", "runs rewritten"],
  packing: ["small slices", "slices packed"],
  backup: ["copies asked for", "copies made"],
};

function backupLine({ fileMsAgo, nodesMsAgo }: NonNullable<ClusterStatus["backups"]>): string {
  const when = (spanMs: number | undefined): string =>
    spanMs === undefined ? "none yet" : spanMs < 1000 ? "now" : `${formatSpan(spanMs)} ago`;
  return `metadata copied: on its server ${when(fileMsAgo)}, to the nodes ${when(nodesMsAgo)}`;
}

function jobLines(jobs: ClusterStatus["jobs"]): string[] {
  const rows = [["job", "state", "waiting", "done since start", "last run"]];
  for (const { name, state, waiting, done, doneBytes, lastRunMsAgo } of jobs) {
    const [waits = "", did = ""] = JOB_UNITS[name] ?? [];
    const size = doneBytes === undefined ? "" : `, ${formatBytes(doneBytes)}`;
    rows.push([
      name,
      state,
      waiting === undefined ? "-" : `${waiting} ${waits}`,
      done === undefined ? "-" : `${done} ${did}${size}`,
      lastRunMsAgo === undefined ? "never" : formatSpan(lastRunMsAgo),
    ]);
  }
  const failed = jobs.filter(({ lastError }) => lastError !== undefined);
  const errors = failed.map(({ name, failures, lastError }) => {
    return `  ${name} failed ${failures} times: ${lastError ?? ""}`;
  });
  return [formatTable(rows), ...errors];
}

function survivalText(losses: number): string {
  if (losses < 0) return "some data can't be read now";
  if (losses === 0) return "the data survives no further loss of a node";
  return `the data survives the loss of ${losses} more node${losses === 1 ? "" : "s"}`;
}
