// A node that hangs (SIGSTOP) answers nothing and refuses nothing: the worst kind of dead.
import { open } from "node:fs/promises";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { E2eCluster, HANG_MS } from "../../testing/e2e/e2e-cluster.ts";
import {
  assertAllWhole,
  drawSeed,
  MIB,
  seededFiles,
  writeAllSeeded,
} from "../../testing/e2e/e2e-files.ts";
import { MachineWaits, type TimedCall } from "../../testing/e2e/machine-waits.ts";
import { present } from "../../testing/present.ts";

/** What SEMANTICS promises of an operation; only what the busy machine itself took comes on top. */
const MAX_STALL_MS = 2000;

/** Times calls, and keeps the one in which the cluster took longest. */
class Longest {
  call: TimedCall = { tookMs: 0, machineMs: 0 };
  readonly #waits: MachineWaits;

  constructor(waits: MachineWaits) {
    this.#waits = waits;
  }

  async of<T>(work: () => Promise<T>): Promise<T> {
    const { value, call } = await this.#waits.time(work);
    if (stallMs(call) > stallMs(this.call)) this.call = call;
    return value;
  }
}

/** Reads or writes a file in pieces of a MiB. */
async function inPieces(
  longest: Longest,
  path: string,
  flags: "r" | "w",
  sizeBytes: number,
): Promise<void> {
  const piece = Buffer.alloc(MIB, 5);
  const handle = await longest.of(() => open(path, flags));
  for (let at = 0; at < sizeBytes; at += MIB) {
    await longest.of(async () => {
      await (flags === "r" ? handle.read(piece, 0, MIB, at) : handle.write(piece));
    });
  }
  await longest.of(() => handle.close());
}

function stallMs({ tookMs, machineMs }: TimedCall): number {
  return tookMs - machineMs;
}

function stallsBriefly(t: ExecutionContext, what: string, { call }: Longest): void {
  const { tookMs, machineMs } = call;
  const figures = `${what}: ${tookMs.toFixed(0)} ms, ${machineMs.toFixed(0)} of it the machine's`;
  t.log(figures);
  t.true(stallMs(call) < MAX_STALL_MS, figures);
}

test.serial("a hung node stalls neither reads nor writes for more than a moment", async (t) => {
  t.timeout(HANG_MS);
  const cluster = await E2eCluster.up(t);
  const files = seededFiles(drawSeed(t), [64 * MIB, 5000, 100_000]);
  await writeAllSeeded(cluster.mnt, files);
  await cluster.demo("remount");
  await cluster.demo("pause", "4");

  const waits = await MachineWaits.of(cluster);
  const reads = new Longest(waits);
  await inPieces(reads, join(cluster.mnt, present(files[0]).name), "r", 64 * MIB);
  stallsBriefly(t, "longest read", reads);
  const writes = new Longest(waits);
  await inPieces(writes, join(cluster.mnt, "written"), "w", 64 * MIB);
  stallsBriefly(t, "longest write", writes);

  await cluster.demo("remount");
  await assertAllWhole(t, cluster.mnt, files, "one node hung");
  await cluster.demo("resume", "4");
  await cluster.waitForUpNodes(6);
  await assertAllWhole(t, cluster.mnt, files, "the node back");
});

test.serial(
  "a node that hangs while it is written to stalls the writer for a moment only",
  async (t) => {
    const cluster = await E2eCluster.up(t);
    const longest = new Longest(await MachineWaits.of(cluster));
    let filesLeft = Infinity;
    const writeFiles = async (): Promise<void> => {
      // A close waits for the shards of what was written.
      for (let at = 0; filesLeft-- > 0; at++) {
        await inPieces(longest, join(cluster.mnt, `written-${at}`), "w", 4 * MIB);
      }
    };
    const writing = writeFiles();
    await cluster.demo("pause", "2");
    filesLeft = 16;
    await writing;
    stallsBriefly(t, "longest write while a node began to hang", longest);
    await cluster.demo("resume", "2");
  },
);
