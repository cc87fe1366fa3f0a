// The whole benchmark: the parts, a demo cluster of its own, and a plain directory beside it.
import { closeSync, existsSync, openSync, statfsSync, unlinkSync, writeSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { NodeId } from "../../domain/ids.ts";
import { AdminClient } from "../../protocol/admin/admin-client.ts";
import { Credentials } from "../session/credentials.ts";
import { DemoCluster } from "../demo/demo-cluster.ts";
import type { Member } from "../demo/demo-members.ts";
import { DemoPaths } from "../demo/demo-state.ts";
import { signalProcess, waitForState } from "../demo/process-identity.ts";
import { CliError, EXIT } from "../terminal/exit-codes.ts";
import { benchCodec } from "./codec-bench.ts";
import { DirectoryBench, type DirectoryBenchSizes } from "./directory-bench.ts";
import { benchMeta } from "./meta-bench.ts";
import { type BenchTarget, type Metric, peakMemoryBytes } from "./metric.ts";
import { benchShards } from "./shard-bench.ts";

const run = promisify(execFile);
const MIB = 1024 * 1024;
const NODES = 6;

export interface BenchOptions {
  quick: boolean;
  /** A directory of a local disk to measure the same way, in the same run. */
  against: string | undefined;
  /** Where the cluster's files go; the system's temporary directory else. */
  directory: string | undefined;
  /** Called with each figure as soon as it is there. */
  report: (metrics: readonly Metric[]) => void;
}

interface BenchSizes extends DirectoryBenchSizes {
  codecRounds: number;
  shards: number;
  metaOperations: number;
}

const FULL: BenchSizes = {
  fileMib: 1024,
  smallFiles: 2000,
  randomReads: 20_000,
  syncedWrites: 2000,
  entryOperations: 4000,
  treeFiles: 5000,
  directoryEntries: 100_000,
  codecRounds: 100,
  shards: 512,
  metaOperations: 20_000,
};
const QUICK: BenchSizes = {
  fileMib: 256,
  smallFiles: 500,
  randomReads: 4000,
  syncedWrites: 500,
  entryOperations: 1000,
  treeFiles: 1000,
  directoryEntries: 10_000,
  codecRounds: 20,
  shards: 128,
  metaOperations: 4000,
};

export async function runBench(options: BenchOptions): Promise<void> {
  const sizes = options.quick ? QUICK : FULL;
  const base = await mkdtemp(join(options.directory ?? tmpdir(), "dfs-bench-"));
  try {
    requireSpace(base, sizes.fileMib * 4 * MIB);
    options.report(await benchCodec(sizes.codecRounds));
    await benchCluster(base, sizes, options);
    if (options.against !== undefined) {
      const { against } = options;
      const directory = await mkdtemp(join(against, "dfs-bench-against-"));
      try {
        const plain: BenchTarget = { subject: against, directory, cold: dropPageCache };
        backMemory(base, sizes.fileMib);
        options.report(await new DirectoryBench(plain, sizes).run());
      } finally {
        await rm(directory, { recursive: true });
      }
    }
  } finally {
    await rm(base, { recursive: true, force: true });
  }
}

async function benchCluster(base: string, sizes: BenchSizes, options: BenchOptions): Promise<void> {
  const paths = new DemoPaths(join(base, "cluster"));
  const cluster = await DemoCluster.open(paths);
  try {
    const mount = paths.defaultMount;
    await cluster.up({ nodes: NODES, mount, mountOptions: undefined });
    const url = cluster.members.metaUrl();
    const { token } = (await Credentials.open(paths.config)).connection(url);
    if (token !== undefined) {
      options.report(await benchOneNode(new AdminClient(url, token), sizes.shards));
      options.report(await benchMeta(url, token, sizes.metaOperations));
    }
    const mountPeaks: number[] = [];
    const mounted: BenchTarget = {
      subject: "dfs",
      directory: mount,
      cold: async () => {
        mountPeaks.push(await mountPeakBytes(cluster));
        await dropPageCache();
        await cluster.remount();
      },
    };
    backMemory(base, sizes.fileMib);
    const bench = new DirectoryBench(mounted, sizes);
    options.report(await bench.run());
    options.report(await serverPeaks(cluster));
    for (const member of cluster.members.nodes().slice(0, 2)) await kill(member);
    options.report(await bench.sequentialRead("sequential read, cold, two nodes dead"));
    mountPeaks.push(await mountPeakBytes(cluster));
    options.report([peakMetric("mount", Math.max(...mountPeaks))]);
    bench.cleanUp();
  } finally {
    await cluster.down(true);
  }
}

async function benchOneNode(admin: AdminClient, shards: number): Promise<Metric[]> {
  const { clusterId: cluster, nodes } = await admin.status();
  const [node] = nodes;
  if (node === undefined) return [];
  // A status has ids as the nodes gave them.
  return benchShards(node.url, { cluster, node: node.id as NodeId }, shards);
}

async function kill(member: Member): Promise<void> {
  await signalProcess(member.process, member.marker, "SIGKILL");
  await waitForState(member.process, member.marker, "dead", 10_000);
}

function peakMetric(subject: string, bytes: number): Metric {
  return { subject, name: "peak memory", value: bytes / MIB, unit: "MiB" };
}

async function serverPeaks(cluster: DemoCluster): Promise<Metric[]> {
  const { members } = cluster;
  const servers = [members.meta(), ...members.nodes()];
  return Promise.all(servers.map(async (member) => peakMetric(member.name, await peakOf(member))));
}

/** A remount begins a new process, so that the peaks are gathered before each. */
async function mountPeakBytes(cluster: DemoCluster): Promise<number> {
  const mount = cluster.members.mount();
  return mount === undefined ? 0 : peakOf(mount);
}

async function peakOf({ process: identity }: Member): Promise<number> {
  return identity === undefined ? 0 : ((await peakMemoryBytes(identity.pid)) ?? 0);
}

/** Needs root; without it cold reads come from the page cache of the disks below. */
async function dropPageCache(): Promise<void> {
  await run("sync");
  await writeFile("/proc/sys/vm/drop_caches", "3").catch(() => undefined);
}

function requireSpace(directory: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(directory);
  if (bavail * bsize > bytes) return;
  const needed = Math.ceil(bytes / MIB);
  throw new CliError(EXIT.failure, `${directory} has no ${needed} MiB free`, "Use --dir DIR.");
}

/**
 * Writes and removes a scratch file, so that the machine's free memory is backed: a virtual machine
 * that has to get it from its host first is slower by the same amount whatever is measured.
 */
function backMemory(directory: string, fileMib: number): void {
  const path = join(directory, "scratch");
  const piece = Buffer.alloc(MIB, 1);
  const fd = openSync(path, "w");
  for (let i = 0; i < fileMib * 2 + 512; i += 1) writeSync(fd, piece);
  closeSync(fd);
  if (existsSync(path)) unlinkSync(path);
}
