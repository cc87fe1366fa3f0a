// StripeCodec: what it promises of lengths, erasures, sub-ranges, buffers and overlapping calls.
import test from "ava";
import fc from "fast-check";
import { FsError } from "../domain/errno.ts";
import { shardSizeBytes } from "../domain/layout.ts";
import type { CodingPolicy } from "../domain/layout.ts";
import { BLOCK_BYTES, CELL_BYTES } from "../domain/format.ts";
import { violationOf } from "../testing/violation.ts";
import { present } from "../testing/present.ts";
import { cellCrcs, corruptCells, StripeCodec } from "./stripe-codec.ts";
import type { Stripe } from "./stripe-codec.ts";

const SHIPPED: readonly CodingPolicy[] = [
  { k: 2, m: 1 },
  { k: 4, m: 2 },
  { k: 6, m: 3 },
  { k: 10, m: 4 },
];
const REPLICATED: readonly CodingPolicy[] = [
  { k: 1, m: 1 },
  { k: 1, m: 2 },
];
const ALL = [...SHIPPED, ...REPLICATED];

function nameOf({ k, m }: CodingPolicy): string {
  return `${k}+${m}`;
}

function randomBytes(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** The block's bytes from its data shards, padding cut off. */
function joinShards(shards: readonly Uint8Array[], k: number, length: number): Uint8Array {
  return new Uint8Array(Buffer.concat(shards.slice(0, k))).subarray(0, length);
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/**
 * Rebuilds `lost` from `kept` in bytes [begin, end) of the shards; true when all come out right.
 */
async function rebuilds(
  codec: StripeCodec,
  shards: readonly Uint8Array[],
  kept: readonly number[],
  lost: readonly number[],
  begin = 0,
  end = present(shards[0]).length,
): Promise<boolean> {
  const sources = shards.map((shard, slot) =>
    kept.includes(slot) ? shard.slice(begin, end) : undefined,
  );
  const targets = shards.map((_, slot) =>
    lost.includes(slot) ? new Uint8Array(end - begin).fill(0xa5) : undefined,
  );
  await codec.reconstruct(sources, targets);
  return shards.every((shard, slot) => {
    const run = sources[slot] ?? targets[slot];
    return run === undefined || isSame(run, shard.subarray(begin, end));
  });
}

function slotsIn(flags: number, count: number): number[] {
  return Array.from({ length: count }, (_, slot) => slot).filter((slot) => flags & (1 << slot));
}

function slotsWithout(slots: readonly number[], count: number): number[] {
  return Array.from({ length: count }, (_, slot) => slot).filter((slot) => !slots.includes(slot));
}

/** A few rows, the last of them short. */
function threeRowsBytes(k: number): number {
  return k * (2 * CELL_BYTES + 4096) - 5;
}

for (const policy of ALL) {
  const { k, m } = policy;
  const count = k + m;
  const codec = new StripeCodec(policy);

  test(`${nameOf(policy)}: every odd length comes back with any m shards lost`, async (t) => {
    const near = (length: number): number[] => [length - 1, length, length + 1];
    const lengths = [
      0,
      1,
      7,
      8,
      9,
      8 * k - 1,
      8 * k,
      8 * k + 1,
      BLOCK_BYTES - 1,
      BLOCK_BYTES,
    ].concat([CELL_BYTES, k * CELL_BYTES, 2 * k * CELL_BYTES].flatMap(near));
    for (const length of lengths) {
      const block = randomBytes(length, length);
      const stripe = await codec.encode(block);
      const shardBytes = shardSizeBytes(length, k);
      t.is(stripe.shards.length, count);
      t.true(stripe.shards.every((shard) => shard.length === shardBytes));
      t.true(isSame(joinShards(stripe.shards, k, length), block), `${length} bytes`);
      stripe.shards.forEach((shard, slot) => {
        t.deepEqual(stripe.cellCrcs[slot], cellCrcs(shard), `${length} bytes, slot ${slot}`);
      });
      const lost = Array.from({ length: m }, (_, at) => (at * 2) % count);
      const kept = slotsWithout(lost, count);
      t.true(await rebuilds(codec, stripe.shards, kept, [...new Set(lost)]), `${length} bytes`);
      stripe.release();
    }
  });

  test(`${nameOf(policy)}: any k or more shards rebuild any of the others`, async (t) => {
    const stripe = await codec.encode(randomBytes(k * 24 - 3, 7));
    let choices = 0;
    for (let keptFlags = 0; keptFlags < 1 << count; keptFlags++) {
      const kept = slotsIn(keptFlags, count);
      if (kept.length < k) continue;
      const open = slotsWithout(kept, count);
      for (let lostFlags = 1; lostFlags < 1 << open.length; lostFlags++) {
        const lost = slotsIn(lostFlags, open.length).map((at) => present(open[at]));
        if (!(await rebuilds(codec, stripe.shards, kept, lost)))
          t.fail(`${kept.join()} -> ${lost.join()}`);
        choices++;
      }
    }
    t.true(choices > 0);
    stripe.release();
  });

  test(`${nameOf(policy)}: every pattern of up to m erasures is decoded in each row`, async (t) => {
    const length = k === 10 ? k * (CELL_BYTES + 64) : threeRowsBytes(k);
    const stripe = await codec.encode(randomBytes(length, 11));
    for (let lostFlags = 1; lostFlags < 1 << count; lostFlags++) {
      const lost = slotsIn(lostFlags, count);
      if (lost.length > m) continue;
      const kept = slotsWithout(lost, count);
      if (!(await rebuilds(codec, stripe.shards, kept, lost))) t.fail(`lost ${lost.join()}`);
    }
    t.pass();
    stripe.release();
  });

  test(`${nameOf(policy)}: any run of a shard's cells decodes without the others`, async (t) => {
    const stripe = await codec.encode(randomBytes(threeRowsBytes(k), 13));
    const shardBytes = present(stripe.shards[0]).length;
    const lost = Array.from({ length: m }, (_, at) => at);
    const kept = slotsWithout(lost, count);
    for (let begin = 0; begin < shardBytes; begin += CELL_BYTES) {
      for (let end = begin + CELL_BYTES; end < shardBytes + CELL_BYTES; end += CELL_BYTES) {
        const runEnd = Math.min(end, shardBytes);
        t.true(await rebuilds(codec, stripe.shards, kept, lost, begin, runEnd));
      }
    }
    stripe.release();
  });
}

test("any policy the limits allow gives any block back from any k shards", async (t) => {
  const stripes = fc.record({
    k: fc.integer({ min: 1, max: 24 }),
    m: fc.integer({ min: 1, max: 6 }),
    length: fc.oneof(fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 0, max: BLOCK_BYTES })),
    seed: fc.integer(),
    order: fc.array(fc.nat(), { minLength: 30, maxLength: 30 }),
  });
  const property = fc.asyncProperty(stripes, async ({ k, m, length, seed, order }) => {
    const codec = new StripeCodec({ k, m });
    const stripe = await codec.encode(randomBytes(length, seed));
    const slots = Array.from({ length: k + m }, (_, slot) => slot);
    const shuffled = slots.toSorted((a, b) => present(order[a]) - present(order[b]) || a - b);
    return rebuilds(codec, stripe.shards, shuffled.slice(0, k), shuffled.slice(k));
  });
  await t.notThrowsAsync(fc.assert(property, { numRuns: 60 }));
});

test("shards that need no padding are views of the block, not copies", async (t) => {
  const codec = new StripeCodec({ k: 4, m: 2 });
  const block = randomBytes(4 * CELL_BYTES * 3 - 1, 1);
  const { shards } = await codec.encode(block);
  t.deepEqual(
    shards.map((shard) => shard.buffer === block.buffer),
    [true, true, true, false, false, false],
  );
});

test("encoding leaves the block as it was", async (t) => {
  const codec = new StripeCodec({ k: 4, m: 2 });
  for (const length of [1, 4096, 4 * CELL_BYTES, 4 * CELL_BYTES + 8, BLOCK_BYTES]) {
    const block = randomBytes(length, 5);
    const before = block.slice();
    (await codec.encode(block)).release();
    t.true(isSame(block, before), `${length} bytes`);
  }
});

test("blocks encoded at the same time don't mix", async (t) => {
  const codec = new StripeCodec({ k: 4, m: 2 });
  const blocks = Array.from({ length: 12 }, (_, at) => randomBytes(300_000 + at * 50_001, at));
  const alone: Uint8Array[][] = [];
  for (const block of blocks) {
    alone.push((await codec.encode(block)).shards.map((shard) => shard.slice()));
  }
  for (let round = 0; round < 3; round++) {
    const stripes = await Promise.all(blocks.map((block) => codec.encode(block)));
    stripes.forEach((stripe, at) => {
      t.true(
        stripe.shards.every((shard, slot) => isSame(shard, present(present(alone[at])[slot]))),
      );
    });
    stripes.forEach((stripe) => stripe.release());
  }
});

test("released buffers are used again, and dirty ones leave no trace in the padding", async (t) => {
  const codec = new StripeCodec({ k: 4, m: 2 });
  const encodeOnce = async (fill: number): Promise<[Stripe, ArrayBufferLike]> => {
    const stripe = await codec.encode(new Uint8Array(400_001).fill(fill));
    return [stripe, present(stripe.shards[5]).buffer];
  };
  const [first, firstBuffer] = await encodeOnce(0xff);
  const fresh = first.shards.map((shard) => shard.slice());
  new Uint8Array(firstBuffer).fill(0x5a);
  first.release();
  first.release();
  const [second, secondBuffer] = await encodeOnce(0xff);
  const [third, thirdBuffer] = await encodeOnce(0xff);
  t.is(secondBuffer, firstBuffer);
  t.not(thirdBuffer, secondBuffer, "releasing twice gave the buffer to two stripes");
  t.true(second.shards.every((shard, slot) => isSame(shard, present(fresh[slot]))));
  third.release();
});

test("an empty block has k + m empty shards without cells", async (t) => {
  const codec = new StripeCodec({ k: 4, m: 2 });
  const stripe = await codec.encode(new Uint8Array());
  t.deepEqual(
    stripe.shards.map((shard) => shard.length),
    [0, 0, 0, 0, 0, 0],
  );
  t.deepEqual(
    stripe.cellCrcs.map((crcs) => crcs.length),
    [0, 0, 0, 0, 0, 0],
  );
  const targets = [undefined, new Uint8Array()];
  await t.notThrowsAsync(
    codec.reconstruct(
      slotsWithout([1], 6).map(() => new Uint8Array()),
      [],
    ),
  );
  await t.notThrowsAsync(
    codec.reconstruct(
      stripe.shards.map((shard, slot) => (slot === 1 ? undefined : shard)),
      targets,
    ),
  );
});

test("policies outside the limits are refused with EINVAL", (t) => {
  const refused = [
    [4, 0],
    [0, 1],
    [25, 1],
    [4, 7],
    [-1, 2],
    [2.5, 1],
    [Number.NaN, 1],
  ] as const;
  for (const [k, m] of refused) {
    const error = t.throws(() => new StripeCodec({ k, m }), { instanceOf: FsError });
    t.is(error.code, "EINVAL", `${k}+${m}`);
  }
});

test("fewer than k shards are an EIO, never wrong bytes", async (t) => {
  const codec = new StripeCodec({ k: 4, m: 2 });
  const stripe = await codec.encode(randomBytes(1000, 1));
  const target = new Uint8Array(256).fill(9);
  const sources = stripe.shards.slice(0, 3);
  const error = await t.throwsAsync(
    codec.reconstruct(sources, [undefined, undefined, undefined, target]),
    { instanceOf: FsError },
  );
  t.is(error.code, "EIO");
  t.true(target.every((byte) => byte === 9));
});

test("lengths and slots that can't be right end the process, never the addon", async (t) => {
  const codec = new StripeCodec({ k: 2, m: 1 });
  const eight = new Uint8Array(8);
  const [a, b, c, d] = [eight, eight, eight, eight];
  const sixteen = new Uint8Array(16);
  const twelve = new Uint8Array(12);
  const wrong: [string, () => Promise<unknown>][] = [
    ["a block is too long", () => codec.encode(new Uint8Array(BLOCK_BYTES + 1))],
    ["a slot is both", () => codec.reconstruct([a, b], [undefined, c])],
    ["runs differ", () => codec.reconstruct([a, b], [undefined, undefined, sixteen])],
    ["runs differ", () => codec.reconstruct([a, sixteen], [undefined, undefined, c])],
    ["multiple of 8", () => codec.reconstruct([twelve, twelve], [undefined, undefined, twelve])],
    ["no such slot", () => codec.reconstruct([a, b], [undefined, undefined, c, d])],
  ];
  for (const [why, call] of wrong) t.true((await violationOf(call)).message.includes(why));
});

test("a detached buffer fails the call, not the process, and the codec goes on", async (t) => {
  const codec = new StripeCodec({ k: 2, m: 1 });
  const size = 3 * CELL_BYTES;
  const sources = [new Uint8Array(size), new Uint8Array(size), undefined];
  const targets = [undefined, undefined, new Uint8Array(size)];
  const rebuilding = codec.reconstruct(sources, targets);
  structuredClone(sources[1], { transfer: [present(sources[1]).buffer] });
  await t.throwsAsync(rebuilding, { instanceOf: TypeError });
  t.true(await rebuilds(codec, (await codec.encode(randomBytes(size, 1))).shards, [0, 2], [1]));
});

test("each flipped bit of a shard is found in its cell", (t) => {
  const shard = randomBytes(2 * CELL_BYTES + 512, 3);
  const crcs = cellCrcs(shard);
  t.is(crcs.length, 3);
  t.deepEqual(corruptCells(shard, crcs), []);
  fc.assert(
    fc.property(fc.nat(shard.length - 1), fc.nat(7), (at, bit) => {
      shard[at] = present(shard[at]) ^ (1 << bit);
      const found = corruptCells(shard, crcs);
      shard[at] = present(shard[at]) ^ (1 << bit);
      return found.length === 1 && found[0] === Math.floor(at / CELL_BYTES);
    }),
  );
});

test("a cell without a checksum and a checksum without a cell count as corrupt", (t) => {
  const shard = randomBytes(2 * CELL_BYTES, 3);
  const crcs = cellCrcs(shard);
  t.deepEqual(corruptCells(shard, crcs.subarray(0, 1)), [1]);
  t.deepEqual(corruptCells(shard.subarray(0, CELL_BYTES), crcs), [1]);
  t.deepEqual(corruptCells(shard.subarray(0, CELL_BYTES + 8), crcs), [1]);
  t.deepEqual(corruptCells(new Uint8Array(), new Uint32Array()), []);
});
