// A store in a process whose files may not grow beyond a bound (ulimit -f): what a full disk does
// to the index. As the child it fills the store of its argument and prints what came of it.
import { execFile } from "node:child_process";
import { SYSTEM } from "../system.ts";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { cellCrcs } from "../../codec/cells.ts";
import { MAX_PACKED_SHARD_BYTES } from "../../protocol/shard/limits.ts";
import { TEST_CLUSTER } from "./test-name.ts";
import { ShardStore } from "../../storage/shards/shard-store.ts";
import { putShard, shardId, verdictOf } from "./shard-service-conformance.ts";

export interface FullIndexOutcome {
  acknowledged: number;
  refused: number;
  /** Acknowledged shards that were not intact afterwards. */
  spoilt: number;
  /** Shards that the store counts after half of them have been deleted. */
  left: number;
}

/** `maxFileKib` is the bound. */
export async function fillIndex(directory: string, maxFileKib: number): Promise<FullIndexOutcome> {
  const script = fileURLToPath(import.meta.url);
  const command = `ulimit -f ${maxFileKib * 2} && exec "$0" "$@"`;
  const args = ["-c", command, process.execPath, script, directory];
  const { stdout } = await promisify(execFile)("sh", args);
  return JSON.parse(stdout) as FullIndexOutcome;
}

async function runAsChild(directory: string): Promise<void> {
  // The default is to end the process.
  process.on("SIGXFSZ", () => undefined);
  const store = await ShardStore.open({ ...SYSTEM, cluster: () => TEST_CLUSTER, directory });
  const bytes = Buffer.alloc(MAX_PACKED_SHARD_BYTES, 7);
  const payload = { bytes, cellCrcs: cellCrcs(bytes) };
  const acknowledged: number[] = [];
  let refused = 0;
  for (let slice = 1; refused < 16; slice += 4) {
    const slices = [slice, slice + 1, slice + 2, slice + 3];
    const outcomes = await Promise.allSettled(
      slices.map((at) => putShard(store, shardId(at), payload)),
    );
    outcomes.forEach(({ status }, at) => {
      if (status === "fulfilled") acknowledged.push(slice + at);
      else refused++;
    });
  }
  let spoilt = 0;
  for (const slice of acknowledged) {
    if ((await verdictOf(store, shardId(slice))) !== "secure") spoilt++;
  }
  const half = acknowledged.slice(0, acknowledged.length / 2);
  await store.deleteMany(half.map((slice) => shardId(slice)));
  const { shards: left } = await store.stats();
  await store.close();
  process.stdout.write(
    JSON.stringify({ acknowledged: acknowledged.length, refused, spoilt, left }),
  );
}

const [, script, directory] = process.argv;
if (script === fileURLToPath(import.meta.url) && directory !== undefined) {
  await runAsChild(directory);
}
