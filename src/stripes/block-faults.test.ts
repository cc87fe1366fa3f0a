// Random operations against random faults: right bytes or an FsError, whatever happens.
import test from "ava";
import fc from "fast-check";
import { seedFromEnvironment } from "../testing/engine/engine-conformance.ts";
import { isFsError } from "../domain/errno.ts";
import type { BlockRef } from "../domain/layout.ts";
import {
  blockBytes,
  sameBytes,
  ShardCluster,
  type ClusterNode,
} from "../testing/shard/shard-cluster.ts";
import { present } from "../testing/present.ts";
import type { StripeBlockStore } from "./stripe-block-store.ts";

const LENGTHS = [1, 100, 5000, 70_000, 300_001];

type Fault = "none" | "dead" | "hung" | "hungReads" | "hungWrites" | "corrupt" | "full" | "flaky";

const fault: fc.Arbitrary<Fault> = fc.constantFrom(
  "none",
  "none",
  "dead",
  "hung",
  "hungReads",
  "hungWrites",
  "corrupt",
  "full",
  "flaky",
);

function inflict(node: ClusterNode, kind: Fault): void {
  node.heal();
  if (kind === "dead") node.kill();
  if (kind === "hung") node.hang();
  if (kind === "hungReads") node.hang("get");
  if (kind === "hungWrites") node.hang("put");
  if (kind === "corrupt") node.corrupt();
  if (kind === "full") node.fail("put", "ENOSPC");
  if (kind === "flaky") node.fail("*", "EIO", { times: 2 });
}

interface Written {
  ref: BlockRef;
  data: Uint8Array;
}

async function write(cluster: ShardCluster, store: StripeBlockStore, lengthBytes: number) {
  const ref = cluster.newBlock(lengthBytes);
  const data = blockBytes(lengthBytes, ref.slice);
  const { error } = await cluster.settle(store.putBlock(ref, data));
  return { ref, data, error };
}

/** The error of a read, or whether it brought the right bytes. */
async function readRange(
  cluster: ShardCluster,
  store: StripeBlockStore,
  { ref, data }: Written,
  from: number,
  to: number,
): Promise<unknown> {
  const [begin, end] = [Math.floor(from * data.length), Math.ceil(to * data.length)];
  const target = new Uint8Array(Math.max(0, end - begin));
  const { error } = await cluster.settle(store.readBlock(ref, begin, target));
  return error ?? sameBytes(target, data.subarray(begin, begin + target.length));
}

function requireNone(error: unknown): void {
  if (error instanceof Error) throw error;
}

const step = fc.record({
  faults: fc.array(fault, { minLength: 7, maxLength: 7 }),
  length: fc.constantFrom(...LENGTHS),
  from: fc.double({ min: 0, max: 1, noNaN: true }),
  to: fc.double({ min: 0, max: 1, noNaN: true }),
});

test("with any faults a read brings the right bytes or an FsError, harming nothing", async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 4 }), async (steps) => {
      const cluster = new ShardCluster({ nodes: 7 });
      await using store = cluster.store();
      const written: Written[] = [];
      for (const { faults, length, from, to } of steps) {
        cluster.nodes.forEach((node, at) => inflict(node, present(faults[at])));
        const { ref, data, error } = await write(cluster, store, length);
        if (error === undefined) written.push({ ref, data });
        else if (!isFsError(error)) throw new Error("no FsError", { cause: error });
        for (const block of written) {
          const outcome = await readRange(cluster, store, block, from, to);
          if (outcome !== true && !isFsError(outcome, "EIO"))
            throw new Error(`got ${String(outcome)}`);
        }
      }
      for (const node of cluster.nodes) node.heal();
      await cluster.clock.advance(3000);
      for (const block of written) {
        if ((await readRange(cluster, store, block, 0, 1)) !== true) throw new Error("lost");
      }
    }),
    { numRuns: 40, ...seedFromEnvironment() },
  );
  t.pass();
});

test("with faults on any two of six nodes every write and read succeeds, in 2 s", async (t) => {
  const two = fc.tuple(fc.nat(5), fc.nat(5), fault, fault);
  await fc.assert(
    fc.asyncProperty(fc.array(two, { minLength: 2, maxLength: 4 }), async (rounds) => {
      const cluster = new ShardCluster();
      await using store = cluster.store();
      const block = await write(cluster, store, 70_000);
      for (const [first, second, kind, otherKind] of rounds) {
        for (const node of cluster.nodes) node.heal();
        await cluster.clock.advance(2000);
        for (const [at, what] of [
          [first, kind],
          [second, otherKind],
        ] as const) {
          inflict(present(cluster.nodes[at]), what);
        }
        const target = new Uint8Array(block.ref.lengthBytes);
        const reading = await cluster.settle(store.readBlock(block.ref, 0, target));
        requireNone(reading.error);
        if (!sameBytes(target, block.data)) throw new Error("wrong bytes");
        const writing = await cluster.settle(
          store.putBlock(cluster.newBlock(3000), blockBytes(3000)),
        );
        requireNone(writing.error);
        const tookMs = Math.max(reading.tookMs, writing.tookMs);
        if (tookMs > 2000) throw new Error(`took ${tookMs} ms`);
      }
    }),
    { numRuns: 40, ...seedFromEnvironment() },
  );
  t.pass();
});
