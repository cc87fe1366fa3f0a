// What programs do with many names: rename, mkdir, untar, rm -rf, ls -l and find, in any directory.
// The programs are the system's own; calls made here are synchronous, as in directory-bench.ts.
import { execFileSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BenchTarget, type Metric, timeSeconds } from "./metric.ts";
import { noise, randomNumbers } from "./noise.ts";

export interface EntriesBenchSizes {
  /** Renames, and directories made and removed. */
  entryOperations: number;
  treeFiles: number;
  directoryEntries: number;
}

const FILES_PER_DIRECTORY = 50;
/** Sizes are spread evenly up to here: about those of a source tree. */
const MAX_TREE_FILE_BYTES = 16 * 1024;
const TREE_SEED = 4711;

export async function benchEntries(
  target: BenchTarget,
  work: string,
  sizes: EntriesBenchSizes,
): Promise<Metric[]> {
  const metric = (name: string, value: number, unit: string): Metric => {
    return { subject: target.subject, name, value, unit };
  };
  const directory = join(work, "entries");
  mkdirSync(directory);
  const count = sizes.entryOperations;
  const renameSeconds = await timeRenames(directory, count);
  const mkdirSeconds = await timeSeconds(() => {
    for (let i = 0; i < count; i += 1) {
      mkdirSync(join(directory, "made"));
      rmdirSync(join(directory, "made"));
    }
  });
  const metrics = [
    metric("renames", count / renameSeconds, "1/s"),
    metric("mkdir and rmdir", count / mkdirSeconds, "1/s"),
    ...(await benchTree(target, directory, sizes.treeFiles, metric)),
    ...(await benchListing(target, directory, sizes.directoryEntries, metric)),
  ];
  rmSync(directory, { recursive: true });
  return metrics;
}

type MetricOf = (name: string, value: number, unit: string) => Metric;

function timeRenames(directory: string, count: number): Promise<number> {
  const names = ["renamed-a", "renamed-b"].map((name) => join(directory, name));
  const [from = "", to = ""] = names;
  writeFileSync(from, "");
  return timeSeconds(() => {
    for (let i = 0; i < count; i += 2) {
      renameSync(from, to);
      renameSync(to, from);
    }
  });
}

async function benchTree(
  target: BenchTarget,
  directory: string,
  files: number,
  metric: MetricOf,
): Promise<Metric[]> {
  const scratch = await mkdtemp(join(tmpdir(), "dfs-bench-tree-"));
  try {
    const archive = join(scratch, "tree.tar");
    writeTree(join(scratch, "tree"), files);
    execFileSync("tar", ["-cf", archive, "-C", scratch, "tree"]);
    const untarSeconds = await timeSeconds(() => {
      execFileSync("tar", ["-xf", archive, "-C", directory]);
    });
    await target.cold();
    const removeSeconds = await timeSeconds(() => {
      execFileSync("rm", ["-rf", join(directory, "tree")]);
    });
    return [
      metric(`untar of ${files} files`, untarSeconds, "s"),
      metric(`rm -rf of ${files} files, cold`, removeSeconds, "s"),
    ];
  } finally {
    await rm(scratch, { recursive: true });
  }
}

function writeTree(root: string, files: number): void {
  const content = noise(MAX_TREE_FILE_BYTES);
  const draw = randomNumbers(TREE_SEED);
  let directory = root;
  for (let i = 0; i < files; i += 1) {
    if (i % FILES_PER_DIRECTORY === 0) {
      directory = join(root, `directory-${i / FILES_PER_DIRECTORY}`);
      mkdirSync(directory, { recursive: true });
    }
    const size = draw() % MAX_TREE_FILE_BYTES;
    writeFileSync(join(directory, `file-${i}`), content.subarray(0, size));
  }
}

async function benchListing(
  target: BenchTarget,
  directory: string,
  entries: number,
  metric: MetricOf,
): Promise<Metric[]> {
  const large = join(directory, "large");
  mkdirSync(large);
  for (let i = 0; i < entries; i += 1) closeSync(openSync(join(large, `entry-${i}`), "wx"));
  const listed = async (command: string, ...args: string[]): Promise<number> => {
    await target.cold();
    return timeSeconds(() => {
      execFileSync(command, [...args, large], { stdio: ["ignore", "ignore", "inherit"] });
    });
  };
  return [
    metric(`ls -l of ${entries} entries, cold`, await listed("ls", "-l"), "s"),
    metric(`find of ${entries} entries, cold`, await listed("find"), "s"),
  ];
}
