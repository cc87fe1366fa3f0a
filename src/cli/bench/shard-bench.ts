// One storage node over HTTP: whole shards in, out, and deleted again.
import { CellSeal } from "../../codec/cell-seal.ts";
import { cellCrcs } from "../../codec/cells.ts";
import { systemClock } from "../../platform/clock.ts";
import { DEFAULT_POOL, type ShardId, type SliceId } from "../../domain/ids.ts";
import type { NodeName } from "../../protocol/shard/node-name.ts";
import { HttpShardService } from "../../protocol/shard/shard-http-client.ts";
import { type Metric, timeSeconds } from "./metric.ts";

const SHARD_BYTES = 1024 * 1024;
const IN_FLIGHT = 8;
/** Far above any slice that a demo cluster's server has handed out. */
const FIRST_SLICE = 2 ** 48;

export async function benchShards(url: string, name: NodeName, count: number): Promise<Metric[]> {
  await using node = new HttpShardService(url, { clock: systemClock, ...name });
  const bytes = Buffer.alloc(SHARD_BYTES, 7);
  const seal = new CellSeal(name.cluster);
  const plain = cellCrcs(bytes);
  const put = (id: ShardId): Promise<void> =>
    node.put(id, { bytes, cellCrcs: seal.mask(id, plain) });
  const ids = Array.from({ length: count }, (_, i): ShardId => {
    return { pool: DEFAULT_POOL, pg: 0, slice: (FIRST_SLICE + i) as SliceId, index: 0, slot: 0 };
  });
  const targets = Array.from({ length: IN_FLIGHT }, () => Buffer.alloc(SHARD_BYTES));
  const putSeconds = await timeSeconds(() => inLanes(ids, put));
  const getSeconds = await timeSeconds(() =>
    inLanes(ids, async (id, lane) => {
      await node.get(id, 0, targets[lane] ?? bytes);
    }),
  );
  await node.deleteMany(ids);
  const megabytes = (count * SHARD_BYTES) / 1e6;
  return [
    { subject: "node", name: "shard put", value: megabytes / putSeconds, unit: "MB/s" },
    { subject: "node", name: "shard get", value: megabytes / getSeconds, unit: "MB/s" },
  ];
}

/** Runs `work` over the items, IN_FLIGHT at a time. */
export async function inLanes<T>(
  items: readonly T[],
  work: (item: T, lane: number) => Promise<unknown>,
  lanes = IN_FLIGHT,
): Promise<void> {
  let next = 0;
  const runLane = async (lane: number): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) {
      await work(item, lane);
    }
  };
  await Promise.all(Array.from({ length: lanes }, (_, lane) => runLane(lane)));
}
