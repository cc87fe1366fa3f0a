// The codec alone, beside what the same machine copies in memory.
import { StripeCodec } from "../../codec/stripe-codec.ts";
import { BLOCK_BYTES } from "../../domain/format.ts";
import { type Metric, timeSeconds } from "./metric.ts";

const POLICY = { k: 4, m: 2 };
/** As many as a mount has in flight. */
const OVERLAP = 4;

export async function benchCodec(rounds: number): Promise<Metric[]> {
  const blocks = Array.from({ length: OVERLAP }, (_, i) => Buffer.alloc(BLOCK_BYTES, i + 1));
  const codec = new StripeCodec(POLICY);
  const encode = async (block: Buffer): Promise<void> => {
    (await codec.encode(block)).release();
  };
  const rebuild = await prepareRebuild(codec, blocks);
  // The first calls back the buffers with memory and start the pool's threads.
  await Promise.all(blocks.map(encode));
  const copySeconds = await timeSeconds(() => copyBlocks(blocks, rounds));
  const encodeSeconds = await timeSeconds(() => repeat(rounds, () => blocks.map(encode)));
  const rebuildSeconds = await timeSeconds(() => repeat(rounds, () => rebuild.map((run) => run())));
  const gigabytes = (rounds * OVERLAP * BLOCK_BYTES) / 1e9;
  const metric = (name: string, seconds: number): Metric => {
    return { subject: "codec", name, value: gigabytes / seconds, unit: "GB/s" };
  };
  return [
    metric("memcpy", copySeconds),
    metric("encode 4+2 with checksums", encodeSeconds),
    metric("rebuild two data shards", rebuildSeconds),
  ];
}

async function repeat(rounds: number, begin: () => Promise<void>[]): Promise<void> {
  for (let round = 0; round < rounds; round += 1) await Promise.all(begin());
}

function copyBlocks(blocks: readonly Buffer[], rounds: number): void {
  const target = Buffer.alloc(BLOCK_BYTES, 1);
  for (let round = 0; round < rounds; round += 1) {
    for (const block of blocks) block.copy(target);
  }
}

/** One rebuild of slots 0 and 1 a block, over buffers of its own. */
async function prepareRebuild(
  codec: StripeCodec,
  blocks: readonly Buffer[],
): Promise<(() => Promise<void>)[]> {
  const runs: (() => Promise<void>)[] = [];
  for (const block of blocks) {
    const stripe = await codec.encode(block);
    const shards = stripe.shards.map((shard) => Buffer.from(shard));
    stripe.release();
    const sources = shards.map((shard, slot) => (slot < POLICY.m ? undefined : shard));
    const targets = shards.map((shard, slot) =>
      slot < POLICY.m ? Buffer.alloc(shard.length, 1) : undefined,
    );
    runs.push(() => codec.reconstruct(sources, targets));
  }
  return runs;
}
