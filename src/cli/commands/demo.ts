// dfs demo …: a whole cluster of separate processes on this machine.
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { FUSE_DRIVERS, type FuseDriver } from "../../fuse/driver.ts";
import { DemoCluster } from "../demo/demo-cluster.ts";
import type { Member } from "../demo/demo-members.ts";
import { withDemoLock } from "../demo/demo-lock.ts";
import { type DemoReport, reportDemo } from "../demo/demo-report.ts";
import { DemoPaths } from "../demo/demo-state.ts";
import { processState, signalProcess, waitForState } from "../demo/process-identity.ts";
import { CliError, EXIT } from "../terminal/exit-codes.ts";
import { addJsonOption, integerArgument } from "../terminal/options.ts";
import { formatTable, printJson, printLine } from "../terminal/output.ts";

interface DemoOptions {
  dir?: string;
  json?: boolean;
}

interface UpOptions extends DemoOptions {
  nodes?: number;
  mount: string | boolean;
  options?: string;
  driver?: FuseDriver;
}

/** More processes than this on one machine show nothing new. */
const MAX_DEMO_NODES = 32;
const DEFAULT_NODES = 6;
/** A signal takes effect at once; a process that waits for its disk may take a moment to die. */
const SIGNAL_TIMEOUT_MS = 10_000;

export function define(command: Command): void {
  const up = subcommand(command, "up", "start it, or what is missing of it")
    .option("--nodes <n>", "storage nodes; 6 at first", integerArgument(1, MAX_DEMO_NODES))
    .option("--mount <dir>", "where to mount it; DIR/mnt at first")
    .option("--no-mount", "don't mount it")
    .option("-o, --options <list>", "mount options, as of dfs mount")
    .addOption(new Option("--driver <name>", "as of dfs mount").choices(FUSE_DRIVERS))
    .action(upCommand);
  addJsonOption(up);
  addJsonOption(subcommand(command, "status", "its processes").action(statusCommand));
  for (const [name, summary] of [
    ["kill", "kill -9 a node, the metadata server or the mount"],
    ["pause", "stop it with SIGSTOP: it hangs"],
    ["resume", "let it go on"],
    ["start", "start it again"],
  ] as const) {
    subcommand(command, name, summary)
      .argument("<node>", "id or number of a node, or meta, or mount")
      .action((node: string, options: DemoOptions) => act(name, node, options));
  }
  subcommand(command, "remount", "mount anew, with cold caches").action(remountCommand);
  subcommand(command, "env", "exports that make other commands use it").action(envCommand);
  subcommand(command, "down", "unmount and stop everything")
    .option("--purge", "remove its data as well")
    .action(downCommand);
}

function subcommand(command: Command, name: string, summary: string): Command {
  return command
    .command(name)
    .description(summary)
    .option("--dir <dir>", "the cluster's directory (else ~/.local/state/dfs/demo)");
}

async function upCommand(options: UpOptions): Promise<void> {
  const paths = new DemoPaths(options.dir);
  const report = await withDemoLock(paths.directory, async () => {
    const cluster = await DemoCluster.open(paths);
    const { nodes, mount } = cluster.state;
    await cluster.up({
      nodes: options.nodes ?? (nodes.length > 0 ? nodes.length : DEFAULT_NODES),
      mount:
        options.mount === false
          ? undefined
          : typeof options.mount === "string"
            ? resolve(options.mount)
            : (mount ?? (nodes.length > 0 ? undefined : paths.defaultMount)),
      mountOptions: options.options,
      driver: options.driver,
    });
    return reportDemo(cluster);
  });
  if (options.json === true) printJson(report);
  else printReport(report);
}

async function statusCommand(options: DemoOptions): Promise<void> {
  const report = await reportDemo(await openExisting(options));
  if (options.json === true) printJson(report);
  else printReport(report);
}

function printReport(report: DemoReport): void {
  printLine(`demo cluster in ${report.dir}`);
  const mounted = report.mount === null ? "not mounted" : `${report.mount} (${report.mountState})`;
  printLine(`mount: ${mounted}`);
  const rows: (string | number)[][] = [["", "id", "process", "state", "in the cluster", "url"]];
  const { meta } = report;
  rows.push(["meta", "", pidText(meta.pid), meta.state, "", meta.url ?? ""]);
  for (const node of report.nodes) {
    const name = `node ${node.number}`;
    const { id, pid, state, clusterState, url } = node;
    rows.push([name, id ?? "", pidText(pid), state, clusterState, url ?? ""]);
  }
  printLine(formatTable(rows));
}

function pidText(pid: number | null): string {
  return pid === null ? "-" : String(pid);
}

type Action = "kill" | "pause" | "resume" | "start";

async function act(action: Action, name: string, options: DemoOptions): Promise<void> {
  const paths = new DemoPaths(options.dir);
  await withDemoLock(paths.directory, async () => {
    const cluster = await openExisting(options);
    const member = cluster.members.find(name);
    if (action === "start") await startMember(cluster, member);
    else await signalMember(action, member);
  });
}

async function signalMember(action: Exclude<Action, "start">, member: Member): Promise<void> {
  const { process: identity, marker } = member;
  const [signal, state] = (
    {
      kill: ["SIGKILL", "dead"],
      pause: ["SIGSTOP", "paused"],
      resume: ["SIGCONT", "running"],
    } as const
  )[action];
  if (!(await signalProcess(identity, marker, signal))) {
    if (action === "kill") return;
    throw new CliError(EXIT.failure, `${member.name} is dead`, "Start it with `dfs demo start`.");
  }
  if (!(await waitForState(identity, marker, state, SIGNAL_TIMEOUT_MS))) {
    throw new CliError(EXIT.retryable, `${member.name} does not react to ${signal}`);
  }
}

async function startMember(cluster: DemoCluster, member: Member): Promise<void> {
  const state = await processState(member.process, member.marker);
  if (state === "running") return;
  if (state === "paused") {
    throw new CliError(EXIT.failure, `${member.name} is paused`, "Use `dfs demo resume`.");
  }
  await member.start();
  const node = cluster.state.nodes.find(({ data }) => data === member.marker);
  if (node?.id !== undefined && (await isRunning(cluster.members.meta()))) {
    await cluster.waitUntilUp([node.id]);
  }
}

async function isRunning(member: Member): Promise<boolean> {
  return (await processState(member.process, member.marker)) === "running";
}

async function remountCommand(options: DemoOptions): Promise<void> {
  const paths = new DemoPaths(options.dir);
  await withDemoLock(paths.directory, async () => (await openExisting(options)).remount());
}

async function envCommand(options: DemoOptions): Promise<void> {
  const cluster = await openExisting(options);
  printLine(`export DFS_META=${cluster.members.metaUrl()}`);
  printLine(`export DFS_CONFIG_DIR='${cluster.paths.config.replaceAll("'", "'\\''")}'`);
}

async function downCommand(options: DemoOptions & { purge?: boolean }): Promise<void> {
  const paths = new DemoPaths(options.dir);
  await withDemoLock(paths.directory, async () => {
    // No state: nothing of ours is there, and nothing is what was asked for.
    await (await DemoCluster.open(paths)).down(options.purge === true);
  });
}

async function openExisting(options: DemoOptions): Promise<DemoCluster> {
  const paths = new DemoPaths(options.dir);
  const cluster = await DemoCluster.open(paths);
  if (cluster.state.nodes.length > 0) return cluster;
  throw new CliError(
    EXIT.notFound,
    `no demo cluster in ${paths.directory}`,
    "Start one with `dfs demo up`.",
  );
}
